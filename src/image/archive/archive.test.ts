import { readdirSync, writeFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { commitImage } from '../commit-image.ts';
import { digestOf } from '../digest.ts';
import type { ImageStore } from '../image-store.ts';
import { addLayer } from '../layer/add-layer.ts';
import { pullImage } from '../pull.ts';
import { imageHistory } from '../queries/image-history.ts';
import { resolveImage } from '../queries/list-images.ts';
import { parseReference, withDefaultTag } from '../reference.ts';
import { beginAddition } from '../store/activity.ts';
import { storeUsage } from '../store/disk-usage.ts';
import { FakeRegistry } from '../testing/fake-registry.ts';
import { buildTar, type TarItem } from '../testing/tar-builder.ts';
import { temporaryStore } from '../testing/temporary-store.ts';
import { verifyStore } from '../testing/verify-store.ts';
import { loadImages } from './load-images.ts';
import { saveImages, type ArchiveFormat } from './save-images.ts';

async function* chunks(bytes: Buffer): AsyncGenerator<Buffer> {
  await Promise.resolve();
  // Not aligned with anything.
  for (let at = 0; at < bytes.length; at += 10_001) yield bytes.subarray(at, at + 10_001);
}

async function save(store: ImageStore, names: string[], format: ArchiveFormat): Promise<Buffer> {
  return buffer(Readable.from(saveImages(store, names, format), { objectMode: false }));
}

/** An image that was pulled, and on it one with a layer made here. */
async function fill(store: ImageStore, registry: FakeRegistry): Promise<void> {
  registry.addImage('base', '1', { layers: [buildTar([{ path: 'a', content: 'from afar' }])] });
  const { image } = await pullImage(store, `${registry.host}/base:1`, { policy: 'always' });
  using addition = await beginAddition(store.layout);
  const layer = await addLayer(store, chunks(buildTar([{ path: 'b', content: 'made here' }])), 'a test');
  const config = {
    ...{ os: 'linux', architecture: 'amd64' },
    rootfs: { type: 'layers', diff_ids: [...image.config.diffIds, layer.diffId] },
    history: [{ created_by: 'base' }, { created_by: 'ENV x', empty_layer: true }, { created_by: 'made', comment: 'c' }],
  };
  const references = [withDefaultTag(parseReference('made'))];
  await commitImage(store, { config, layers: [...image.manifest.layers, layer.descriptor], references });
  addition.finished();
}

test.each(['docker-archive', 'oci-archive'] as const)('%s: saved and loaded it is the same image', async (format) => {
  await using registry = await FakeRegistry.start();
  using made = temporaryStore();
  await fill(made.store, registry);
  const base = `${registry.host}/base:1`;
  const archive = await save(made.store, ['made', base, resolveImage(made.store, 'made').id], format);
  expect((await save(made.store, ['made', base], format)).equals(archive)).toBe(true);
  using other = temporaryStore();
  const loaded = await loadImages(other.store, chunks(gzipSync(archive)), 'the archive');
  expect(loaded.map(({ names }) => names)).toEqual([['made:latest'], [base]]);
  for (const name of ['made', base]) {
    const [before, after] = [resolveImage(made.store, name), resolveImage(other.store, name)];
    expect(after).toMatchObject({ id: before.id, isUnpacked: true, size: before.size });
    if (format === 'oci-archive') expect(after.manifestDigest).toBe(before.manifestDigest);
  }
  expect(verifyStore(other.store.layout)).toEqual([]);
  expect(readdirSync(other.store.layout.temporary)).toEqual([]);
  expect(readdirSync(other.store.layout.unfinished)).toEqual([]);
  // Once more it is nothing new.
  const before = storeUsage(other.store);
  await loadImages(other.store, chunks(archive), 'the archive');
  expect(storeUsage(other.store)).toEqual(before);
  expect(before.leftoverBytes).toBe(0);
});

test('layers of a pull keep their packing through a docker-archive where the store has it', async () => {
  await using registry = await FakeRegistry.start();
  using made = temporaryStore();
  await fill(made.store, registry);
  const base = `${registry.host}/base:1`;
  const archive = await save(made.store, [base], 'docker-archive');
  await loadImages(made.store, chunks(archive), 'the archive');
  expect(resolveImage(made.store, base).manifest.layers[0]!.mediaType).toContain('gzip');
});

const layer = buildTar([{ path: 'file', content: 'x'.repeat(5000) }]);
const config = JSON.stringify({
  ...{ os: 'linux', architecture: 'amd64', config: { Cmd: ['sh'] } },
  rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
});
const item = { Config: 'config.json', RepoTags: ['old/name:1', 'second'], Layers: ['abc/layer.tar'] };

function oldArchive(changes: { items?: unknown; members?: TarItem[] } = {}): Buffer {
  return buildTar([
    { path: './abc/', type: '5' },
    { path: './target.tar', content: layer },
    { path: './abc/layer.tar', type: '2', linkPath: '../target.tar' },
    { path: './config.json', content: config },
    ...(changes.members ?? []),
    { path: './manifest.json', content: JSON.stringify(changes.items ?? [item]) },
  ]);
}

test.each([
  ['plain', (bytes: Buffer) => bytes],
  ['gzip', (bytes: Buffer) => gzipSync(bytes)],
  ['zstd', (bytes: Buffer) => zstdCompressSync(bytes)],
])('the archive of an old Docker, %s', async (_, pack) => {
  using made = temporaryStore();
  const loaded = await loadImages(made.store, chunks(pack(oldArchive())), 'the archive');
  expect(loaded).toEqual([{ id: digestOf(config), names: ['old/name:1', 'second:latest'] }]);
  expect(resolveImage(made.store, 'second').repoTags).toEqual(['second:latest', 'old/name:1']);
  expect(verifyStore(made.store.layout)).toEqual([]);
});

test.each<[string, Buffer, RegExp]>([
  ['no archive', Buffer.from('nonsense'.repeat(200)), /^Cannot read the archive: /],
  ['cut off', oldArchive().subarray(0, 2000), /^Cannot read the archive: it ends in the middle/],
  ['an archive of something else', buildTar([{ path: 'x' }]), /neither manifest\.json nor index\.json/],
  ['no JSON', oldArchive({ members: [{ path: 'manifest.json', content: '{' }], items: 1 }), /is not a list/],
  [
    'a missing layer',
    oldArchive({ items: [{ ...item, Layers: ['../../etc/passwd'] }] }),
    /lacks "\.\.\/\.\.\/etc\/passwd"/,
  ],
  ['too few layers', oldArchive({ items: [{ ...item, Layers: [] }] }), /has 0 layers, but its config lists 1/],
  ['a name that is none', oldArchive({ items: [{ ...item, RepoTags: ['UPPER'] }] }), /must be lowercase/],
  [
    'another layer than promised',
    oldArchive({ items: [{ ...item, Layers: ['config.json'] }] }),
    /^Cannot unpack layer [0-9a-f]{12}: /,
  ],
  [
    'links in a circle',
    oldArchive({
      members: [{ path: 'loop', type: '2', linkPath: 'loop' }],
      items: [{ ...item, Config: 'loop' }],
    }),
    /lacks "loop"/,
  ],
  [
    'a sparse bomb',
    buildTar([
      {
        path: 'x',
        pax: { 'GNU.sparse.major': '1', 'GNU.sparse.minor': '0', 'GNU.sparse.realsize': '9000000000000' },
        content: '0\n'.padEnd(512, '\0'),
      },
    ]),
    /sparse/,
  ],
  [
    'an OCI layout whose blob lies',
    buildTar([
      { path: `blobs/sha256/${'0'.repeat(64)}`, content: '{}' },
      {
        path: 'index.json',
        content: JSON.stringify({
          ...{ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json' },
          manifests: [
            { mediaType: 'application/vnd.oci.image.manifest.v1+json', digest: `sha256:${'0'.repeat(64)}`, size: 2 },
          ],
        }),
      },
    ]),
    /a blob is not sha256:0000/,
  ],
])('refused: %s', async (_, archive, expected) => {
  using made = temporaryStore();
  const failure = await loadImages(made.store, chunks(archive), 'the archive').catch(
    (error: unknown) => error as Error,
  );
  expect(failure).toMatchObject({ name: 'ImageError', message: expect.stringMatching(expected) as string });
  expect(readdirSync(made.store.layout.temporary)).toEqual([]);
  expect(storeUsage(made.store).images).toEqual([]);
});

test('history: the last step first, with the sizes of layers', async () => {
  await using registry = await FakeRegistry.start();
  using made = temporaryStore();
  await fill(made.store, registry);
  expect(imageHistory(made.store, 'made')).toEqual([
    { id: resolveImage(made.store, 'made').id, createdBy: 'made', comment: 'c', size: 9, tags: ['made:latest'] },
    { createdBy: 'ENV x', comment: '', size: 0, tags: [] },
    { createdBy: 'base', comment: '', size: 9, tags: [] },
  ]);
});

test('disk usage counts every byte once', async () => {
  await using registry = await FakeRegistry.start();
  using made = temporaryStore();
  await fill(made.store, registry);
  writeFileSync(made.store.layout.partialBlob(digestOf('x')), 'half');
  const usage = storeUsage(made.store, (id) => id === resolveImage(made.store, `${registry.host}/base:1`).id);
  const [small, large] = [...usage.images].sort((a, b) => a.size - b.size);
  expect(usage.leftoverBytes).toBe(4);
  expect(usage.imageBytes).toBe(small!.size + large!.size - small!.shared);
  expect(usage.unusedBytes).toBe(large!.size - large!.shared);
});
