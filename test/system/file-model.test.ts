/**
 * Random operations on both writable layers give what they give in memory and in a bare folder; so do those on the contents of one
 * file, as fsx does them. FILE_MODEL_SEED=N repeats a run, FILE_MODEL_STEPS=N makes it longer; test/suites/one-file.sh goes on for
 * ten minutes.
 *
 * Runs as: user, nosub
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { contractOptions, serveContractImage } from '../helpers/file-contract/image.ts';
import type { Registry } from '../helpers/registry.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ requires: ['docker-registry', 'skopeo', 'busybox', 'python3'] });
const { FILE_MODEL_SEED: seed, FILE_MODEL_STEPS: steps = '2000' } = process.env;
const seeds = seed === undefined ? [1, 2, Date.now() % 1_000_000] : [Number(seed)];
let image: { registry: Registry; reference: string } | undefined;

beforeAll(async () => {
  if (!bed.isOpen) return;
  image = await serveContractImage(bed.box.home);
  await bed.box.ok(['pull', '-q', image.reference]);
}, 120_000);

afterAll(async () => {
  await image?.registry[Symbol.asyncDispose]();
});

describe.each(['kernel', 'fuse'])('writable=%s', (layer) => {
  test.each(seeds)('FILE_MODEL_SEED=%i', async (number) => {
    const bare = join(bed.box.home, `model-${layer}-${number}`);
    mkdirSync(bare);
    const options = ['--rm', '--storage-opt', `writable=${layer}`, ...contractOptions(bare)];
    const program = ['/usr/bin/python3', '-B', '/model-program/random_operations.py'];
    const words = [...program, String(number), steps, '/model', '/bare/model', layer];
    const { stdout, stderr } = await bed.box.trun(['run', ...options, image!.reference, ...words], {
      timeout: 170_000,
    });
    expect(stdout + stderr).toBe('same\n');
  });

  test.each(['/model/a/b/c/file4', '/new'])('one file: %s', async (file) => {
    const number = seed ?? String(Date.now() % 1_000_000);
    const bare = join(bed.box.home, `one-${layer}`);
    mkdirSync(bare, { recursive: true });
    const options = ['--rm', '--storage-opt', `writable=${layer}`, ...contractOptions(bare)];
    const count = String(Number(steps) / 4);
    const program = ['/usr/bin/python3', '-B', '/model-program/one_file.py', number, count, '0', file];
    expect(await bed.box.ok(['run', ...options, image!.reference, ...program], { timeout: 170_000 })).toBe('same');
  });
});
