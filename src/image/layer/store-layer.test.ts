import { mkdtempSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { contentPath, layerEntry, readLayerList } from 'fuse-overlay';
import { afterEach, expect, test } from 'vitest';
import { commitImage } from '../commit-image.ts';
import { digestOf } from '../digest.ts';
import { resolveImage } from '../queries/list-images.ts';
import { parseReference, withDefaultTag } from '../reference.ts';
import { beginAddition } from '../store/activity.ts';
import { chainId } from '../store/merged-tree.ts';
import { removePin, setPin } from '../store/pins.ts';
import { releaseSpace } from '../store/sweep.ts';
import { buildTar } from '../testing/tar-builder.ts';
import { temporaryStore } from '../testing/temporary-store.ts';
import { verifyStore } from '../testing/verify-store.ts';
import { addLayer } from './add-layer.ts';
import type { LayerSource } from './layer-tar.ts';
import { openBlob, openLayerTar } from './stored-layer.ts';
import { storeLayer } from './store-layer.ts';

const folder = mkdtempSync(join(tmpdir(), 'trun-layer-'));
afterEach(() => rmSync(join(folder, 'file'), { force: true }));

function file(content: string | Buffer, path = 'file'): LayerSource {
  const place = join(folder, 'file');
  // What was consumed there before is read-only.
  rmSync(place, { force: true });
  writeFileSync(place, content);
  return {
    entry: layerEntry({ path: Buffer.from(path), type: 'file', mode: 0o4755, uid: 5, size: content.length, mtime: 9 }),
    open: () => openSync(place, 'r'),
  };
}

const directory: LayerSource = {
  entry: layerEntry({ path: Buffer.from('dir'), type: 'directory', mode: 0o700, mtime: 5, mtimeNsec: 6 }),
  open: undefined,
};
const gone: LayerSource = { entry: layerEntry({ path: Buffer.from('dir/gone'), type: 'whiteout' }), open: undefined };
const opaque: LayerSource = { entry: layerEntry({ path: Buffer.from('dir'), type: 'opaque' }), open: undefined };

test('the archive made again from list and contents is the one that was stored', async () => {
  using made = temporaryStore();
  const { layout } = made.store;
  const layer = storeLayer(layout, [directory, opaque, gone, file('content', 'dir/file')]);
  const archive = await buffer(openBlob(layout, layer.descriptor));
  expect(digestOf(archive)).toBe(layer.diffId);
  expect(archive.length).toBe(layer.descriptor.size);
  expect(layer).toMatchObject({ contentBytes: 7, entries: 4 });
  expect([...readLayerList(layout.layerList(layer.diffId))].map(({ type }) => type)).toEqual([
    'directory',
    'opaque',
    'whiteout',
    'file',
  ]);
});

test.each([3, 3 * 1024 * 1024])('consumed, %d bytes become a content without being copied', (size) => {
  using made = temporaryStore();
  const { layout } = made.store;
  const content = Buffer.alloc(size, 'c');
  const source = file(content);
  const { ino } = statSync(join(folder, 'file'));
  const layer = storeLayer(layout, [source], { consume: true });
  const [entry] = [...readLayerList(layout.layerList(layer.diffId))];
  const stored = statSync(join(layout.files, contentPath(entry!.contentId!)));
  expect([stored.ino, stored.mode & 0o7777]).toEqual([ino, 0o444]);
  expect(storeLayer(layout, [file(content)]).diffId).toBe(layer.diffId);
  expect(verifyStore(layout)).toEqual([]);
});

test('a file that is cut off while it is read is filled up with zeros', () => {
  using made = temporaryStore();
  const { layout } = made.store;
  const source = file('full');
  writeFileSync(join(folder, 'file'), 'fu');
  const layer = storeLayer(layout, [source]);
  const [entry] = [...readLayerList(layout.layerList(layer.diffId))];
  expect(readFileSync(join(layout.files, contentPath(entry!.contentId!)))).toEqual(Buffer.from('fu\0\0'));
});

test('no time is later than the latest', () => {
  using made = temporaryStore();
  const { layout } = made.store;
  const layer = storeLayer(layout, [directory, file('x')], { latest: 7 });
  const times = [...readLayerList(layout.layerList(layer.diffId))].map(({ mtime, mtimeNsec }) => [mtime, mtimeNsec]);
  expect(times).toEqual([
    [5, 6],
    [7, 0],
  ]);
});

test('an image of a layer from an archive; what a pin keeps outlives a sweep, nothing else does', async () => {
  using made = temporaryStore();
  const { store } = made;
  const { layout } = store;
  const addition = await beginAddition(layout);
  const layer = await addLayer(store, chunks(buildTar([{ path: 'a', content: 'hello' }])), 'a test');
  const other = await addLayer(store, chunks(buildTar([{ path: 'b', content: 'other' }])), 'a test');
  const config = { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [layer.diffId] } };
  const references = [withDefaultTag(parseReference('made'))];
  const image = await commitImage(store, { config, layers: [layer.descriptor], references });
  setPin(layout, 'cache', { layers: [other.diffId], trees: [chainId([other.diffId])] });
  addition[Symbol.dispose]();
  releaseSpace(layout);
  expect(resolveImage(store, 'made')).toMatchObject({ id: image.id, isUnpacked: true, size: 5 });
  expect((await buffer(openLayerTar(layout, other.diffId))).includes('other')).toBe(true);
  removePin(layout, 'cache');
  releaseSpace(layout);
  expect(() => openBlob(layout, other.descriptor)).toThrow(/has lost the blob/);
  expect(verifyStore(layout)).toEqual([]);
});

test('layers that are not there make no image', async () => {
  using made = temporaryStore();
  const digest = digestOf('nothing');
  const config = { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [digest] } };
  const layers = [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest, size: 1 }];
  await expect(commitImage(made.store, { config, layers, references: [] })).rejects.toThrow(
    /is not in the image store/,
  );
});

async function* chunks(bytes: Buffer): AsyncGenerator<Buffer> {
  await Promise.resolve();
  yield bytes;
}
