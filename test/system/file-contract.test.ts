/**
 * What POSIX and Linux promise of a root file system, tried by programs in containers: on both writable layers over an image,
 * and on a bare folder, to try the tries.
 *
 * Runs as: user, nosub
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { output } from '../helpers/command.ts';
import { contractCommand, contractOptions, promises, serveContractImage } from '../helpers/file-contract/image.ts';
import type { Registry } from '../helpers/registry.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ requires: ['docker-registry', 'skopeo', 'busybox', 'python3'] });
let image: { registry: Registry; reference: string } | undefined;

beforeAll(async () => {
  if (!bed.isOpen) return;
  image = await serveContractImage(bed.box.home);
  await bed.box.ok(['pull', '-q', image.reference]);
}, 120_000);

afterAll(async () => {
  await image?.registry[Symbol.asyncDispose]();
});

describe.each(['kernel', 'fuse', 'bare'])('on a file system of kind %s', (layer) => {
  const found = new Map<string, string>();
  let tree: string[] = [];
  const name = `contract-${layer}`;

  beforeAll(async () => {
    if (!bed.isOpen) return;
    const bare = join(bed.box.home, name);
    mkdirSync(bare);
    if (layer === 'bare') await output('cp', ['-a', join(bed.box.home, 'lower-tree/lower'), join(bare, 'lower')]);
    const writable = layer === 'bare' ? [] : ['--storage-opt', `writable=${layer}`];
    const words = ['run', '--name', name, ...writable, ...contractOptions(bare), image!.reference];
    const printed = await bed.box.ok([...words, ...contractCommand(layer)], { timeout: 120_000 });
    for (const line of printed.split('\n')) {
      const [, verdict, tried, problem = ''] = /^(ok|not ok) (\w+)(.*)$/.exec(line) ?? [];
      if (tried !== undefined) found.set(tried, verdict === 'ok' ? 'kept' : problem);
    }
    tree = printed.split('\n').filter((line) => line.startsWith('file '));
  });

  test.each(promises())('$promise ($name)', ({ name: tried }) => {
    expect(found.get(tried)).toBe('kept');
  });

  test('after a new start everything is as it was, inode numbers too', async () => {
    const again = (await bed.box.ok(['start', '-a', name])).split('\n');
    expect(tree.length).toBeGreaterThan(1000);
    // Kernel overlayfs finds the numbers of copied files by file handles, which only the real root may decode.
    const look = layer === 'kernel' ? (line: string) => line.replace(/^(file '.*?') \d+/, '$1') : String;
    expect(again.map(look)).toEqual(tree.map(look));
  });
});
