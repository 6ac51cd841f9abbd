import { spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { digestOf } from '../../src/image/digest.ts';
import { tidyUp } from '../../src/image/store/sweep.ts';
import { FakeRegistry } from '../../src/image/testing/fake-registry.ts';
import { buildTar, type TarItem } from '../../src/image/testing/tar-builder.ts';
import { temporaryStore } from '../../src/image/testing/temporary-store.ts';
import { verifyStore } from '../../src/image/testing/verify-store.ts';
import { listImages } from '../../src/image/queries/list-images.ts';

let registry: FakeRegistry;
let home: ReturnType<typeof temporaryStore>;

beforeEach(async () => {
  registry = await FakeRegistry.start();
  home = temporaryStore();
});

afterEach(async () => {
  home[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
});

function noise(seed: string, length: number): Buffer {
  const blocks: Buffer[] = [];
  for (let at = 0; at * 32 < length; at++) blocks.push(createHash('sha256').update(`${seed}${at}`).digest());
  return Buffer.concat(blocks).subarray(0, length);
}

/** Some hundred files, the half of them shared with the other images. */
function layer(name: string): Buffer {
  const items: TarItem[] = Array.from({ length: 120 }, (_, index) => ({
    path: `${name}/f${index}`,
    content: noise(index % 2 === 0 ? `${index}` : `${name}${index}`, 10_000 + index * 50),
  }));
  items.push({ path: `${name}/large`, content: noise(name, 1_200_000) });
  return buildTar(items);
}

/** `TRUN_KILLS=100` makes it the long test. */
const rounds = Number(process.env['TRUN_KILLS'] ?? 10);

function run(reference: string, action: 'pull' | 'remove' | 'prune' | 'load', archive?: Buffer): ChildProcess {
  const program = join(import.meta.dirname, 'registry-pull-program.ts');
  const flags = ['--conditions=source', '--no-warnings'];
  const child = spawn(process.execPath, [...flags, program, home.root, reference, action], {
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  // A killed one does not read on.
  child.stdin.on('error', () => undefined);
  child.stdin.end(archive);
  return child;
}

function dockerArchive(tar: Buffer): Buffer {
  const config = { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [digestOf(tar)] } };
  return buildTar([
    { path: 'layer.tar', content: tar },
    { path: 'config.json', content: JSON.stringify(config) },
    {
      path: 'manifest.json',
      content: JSON.stringify([{ Config: 'config.json', RepoTags: ['loaded:1'], Layers: ['layer.tar'] }]),
    },
  ]);
}

async function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) await new Promise((resolve) => child.once('exit', resolve));
  return child.exitCode;
}

function fail(error: Error): void {
  throw error;
}

test('killed at any moment of a pull, a load, a prune or a removal, the store verifies clean, and the next pull ends well', async () => {
  const references = ['one', 'two'].map((name) => {
    registry.addImage(name, '1', { layers: [layer('base'), layer(name)] });
    return `${registry.host}/${name}:1`;
  });
  const { layout } = home.store;
  const archive = dockerArchive(layer('three'));
  const actions = ['pull', 'load', 'remove', 'pull', 'prune'] as const;
  let killed = 0;
  for (let round = 0; round < rounds; round++) {
    const reference = references[round % 2]!;
    const children = [run(reference, actions[round % actions.length]!, archive)];
    // Now and then two at once.
    if (round % 4 === 3) children.push(run(references[(round + 1) % 2]!, 'pull'));
    await sleep(150 + ((round * 37) % 16) * 35);
    for (const child of children) if (child.kill('SIGKILL')) killed++;
    await Promise.all(children.map(ended));
    expect(verifyStore(layout)).toEqual([]);
  }
  expect(killed).toBeGreaterThan(3);

  for (const reference of references) expect(await ended(run(reference, 'pull'))).toBe(0);
  expect(await ended(run('', 'load', archive))).toBe(0);
  expect(verifyStore(layout)).toEqual([]);
  const found = listImages(home.store, fail).flatMap(({ repoTags, isUnpacked }) => (isUnpacked ? repoTags : []));
  expect(found.sort()).toEqual([...references, 'loaded:1'].sort());

  expect(await ended(run('', 'prune'))).toBe(0);
  tidyUp(layout, Date.now() + 8 * 24 * 3600_000);
  const { blobs, files, layers, trees, partial, temporary, unfinished } = layout;
  const left = [blobs, files, layers, trees, partial, temporary, unfinished].flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()),
  );
  expect(left.map(({ name }) => name)).toEqual([]);
});

test('many pulls and removals at once leave a clean store', async () => {
  const names = ['a', 'b', 'c'];
  const references = names.map((name) => {
    registry.addImage(name, '1', { layers: [layer('base'), layer(name)] });
    return `${registry.host}/${name}:1`;
  });
  for (let round = 0; round < 2; round++) {
    const pulls = [...references, references[0]!].map((reference) => run(reference, 'pull'));
    const removals = round > 0 ? [run(references[round]!, 'remove')] : [];
    expect(await Promise.all(pulls.map(ended))).toEqual([0, 0, 0, 0]);
    await Promise.all(removals.map(ended));
    expect(verifyStore(home.store.layout)).toEqual([]);
  }
  await Promise.all(references.map((reference) => ended(run(reference, 'pull'))));
  expect(listImages(home.store, fail).filter(({ isUnpacked }) => isUnpacked)).toHaveLength(3);
  expect(verifyStore(home.store.layout)).toEqual([]);
});
