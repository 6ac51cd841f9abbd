import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { contentPath } from 'fuse-overlay';
import { describe, expect, test } from 'vitest';
import { digestOf } from '../digest.ts';
import { pullImage } from '../pull.ts';
import { resolveImage } from '../queries/list-images.ts';
import { removeImage } from '../queries/remove-image.ts';
import { parseReference, withDefaultTag } from '../reference.ts';
import { releaseSpace } from '../store/sweep.ts';
import { FakeRegistry } from '../testing/fake-registry.ts';
import { chunkedLayer, stargzLayer, type LazyFile, type LazyLayer } from '../testing/lazy-layers.ts';
import { buildTar } from '../testing/tar-builder.ts';
import { temporaryStore } from '../testing/temporary-store.ts';
import { verifyStore } from '../testing/verify-store.ts';
import { fetchRest } from './fetcher.ts';
import { LazyImage } from './lazy-image.ts';
import { beginLazyPull } from './lazy-pull.ts';
import { readContentsTable } from './read-table.ts';

const large = randomBytes(350_000);
const files: LazyFile[] = [
  { path: 'bin' },
  { path: 'bin/program', content: Buffer.from('a program'.repeat(100)), mode: 0o4755 },
  { path: 'empty', content: Buffer.alloc(0) },
  { path: 'large', content: large },
  { path: 'link', link: 'bin/program' },
  { path: 'again', hardLink: 'bin/program' },
  { path: 'last', content: Buffer.from('the last') },
];

function addLazyImage(registry: FakeRegistry, layers: readonly LazyLayer[]): void {
  registry.addImage('lazy', '1', {
    layers: layers.map(({ tar }) => tar),
    editManifest(manifest) {
      manifest['layers'] = layers.map(({ bytes, mediaType, annotations }) => ({
        ...{ mediaType, annotations, digest: registry.addBlob(bytes), size: bytes.length },
      }));
    },
  });
}

function wish(root: string, content: Buffer): void {
  writeFileSync(join(root, 'wanted', digestOf(content).slice('sha256:'.length)), '');
}

describe.each([
  ['zstd:chunked', chunkedLayer],
  ['eStargz', stargzLayer],
])('%s', (format, build) => {
  test('what somebody waits for comes first, then the rest; then nothing is lazy any more', async () => {
    await using registry = await FakeRegistry.start();
    addLazyImage(registry, [build(files)]);
    using made = temporaryStore();
    const { store, root } = made;
    const reference = withDefaultTag(parseReference(`${registry.host}/lazy:1`));
    const start = await beginLazyPull(store, reference, undefined);
    expect(start).toMatchObject({ isWhole: false });
    const image = resolveImage(store, `${registry.host}/lazy:1`);
    expect(image).toMatchObject({ isUnpacked: true, isLazy: true });
    const tree = readFileSync(image.treePath);
    expect(readdirSync(store.layout.files)).toEqual([]);
    // Nothing of it is garbage.
    releaseSpace(store.layout);
    wish(root, large);
    let blobRequests = 0;
    const place = join(store.layout.files, contentPath(Buffer.from(digestOf(large).slice(7), 'hex')));
    let wasThere = false;
    registry.onRequest = ({ url, headers }) => {
      if (url?.includes('/blobs/') === true && headers.range === undefined && ++blobRequests === 1)
        wasThere = existsSync(place);
      return false;
    };
    await fetchRest(store, start!.manifest);
    expect(wasThere).toBe(true);
    expect(readFileSync(place).equals(large)).toBe(true);
    expect(readdirSync(store.layout.wanted)).toEqual([]);
    expect(resolveImage(store, `${registry.host}/lazy:1`)).toMatchObject({ isLazy: false, isUnpacked: true });
    expect(new LazyImage(store.layout, start!.manifest).took()).toBeGreaterThan(0);
    expect(verifyStore(store.layout)).toEqual([]);
    // The tree that was made from the table is the one that the layers make; but eStargz has its table in the archive, too.
    using other = temporaryStore();
    await pullImage(other.store, `${registry.host}/lazy:1`, { policy: 'always' });
    const whole = resolveImage(other.store, `${registry.host}/lazy:1`);
    expect(readFileSync(whole.treePath).equals(tree)).toBe(format !== 'eStargz');
    expect(await beginLazyPull(other.store, reference, undefined)).toMatchObject({ isWhole: true });
  });

  test('removed before all of it is there, it is gone', async () => {
    await using registry = await FakeRegistry.start();
    addLazyImage(registry, [build(files)]);
    using made = temporaryStore();
    const { store } = made;
    const name = `${registry.host}/lazy:1`;
    await beginLazyPull(store, withDefaultTag(parseReference(name)), undefined);
    await removeImage(store, name, { force: false, users: new Map() });
    expect(readdirSync(store.layout.lazy)).toEqual([]);
    expect(readdirSync(store.layout.trees)).toEqual([]);
    expect(readdirSync(store.layout.blobs)).toEqual([]);
  });

  test('a table that is not the promised one is refused', async () => {
    const layer = build(files);
    const annotations = Object.fromEntries(
      Object.entries(layer.annotations).map(([key, value]) => [
        key,
        value.startsWith('sha256:') ? digestOf('x') : value,
      ]),
    );
    const { bytes, mediaType } = layer;
    const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length, annotations };
    function fetch(start: number, end: number): Promise<Buffer> {
      return Promise.resolve(bytes.subarray(start, end));
    }
    await expect(readContentsTable(descriptor, fetch)).rejects.toThrow(/not what the manifest promises/);
    await expect(
      readContentsTable({ ...descriptor, ...layer, size: 20, digest: descriptor.digest }, fetch),
    ).rejects.toThrow(/table of contents cannot be used/);
  });
});

test('an image without tables is pulled whole', async () => {
  await using registry = await FakeRegistry.start();
  registry.addImage('plain', '1', { layers: [buildTar([{ path: 'a', content: 'x' }])] });
  using made = temporaryStore();
  const reference = withDefaultTag(parseReference(`${registry.host}/plain:1`));
  expect(await beginLazyPull(made.store, reference, undefined)).toBeUndefined();
  expect(readdirSync(made.store.layout.lazy)).toEqual([]);
});
