/** One layer of an archive into the store. */
import { randomBytes } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  linkSync,
  openSync,
  readSync,
  closeSync,
  rmSync,
  renameSync,
} from 'node:fs';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { Digester, digestHex, type Digest } from '../digest.ts';
import type { ImageStore } from '../image-store.ts';
import { hasBlob } from '../layer/stored-layer.ts';
import { layerTar } from '../layer/layer-tar.ts';
import { listedEntries } from '../layer/stored-layer.ts';
import { ociLayerTypes, type Descriptor } from '../manifest.ts';
import type { Platform } from '../platform.ts';
import { allEntries, indexedImages } from '../queries/stored-images.ts';
import { hasLayerList } from '../store/durability.ts';
import type { StoreLayout } from '../store/layout.ts';
import type { UnpackerPool } from '../unpack/unpacker-pool.ts';
import type { ArchiveFile, ArchiveFiles } from './archive-files.ts';

export interface Load {
  readonly store: ImageStore;
  readonly files: ArchiveFiles;
  readonly unpackers: UnpackerPool;
  readonly platform: Platform;
}

/** Unpacks a layer into the content store. Throws INVALID where it is not the one that the config promises. */
export async function unpackMember({ store, unpackers }: Load, file: ArchiveFile, diffId: Digest): Promise<void> {
  const { layout, limits } = store;
  if (hasLayerList(layout, diffId)) return;
  const job = unpackers.start({
    path: file.path,
    size: file.size,
    shownAs: digestHex(diffId).slice(0, 12),
    request: {
      files: layout.files,
      temporary: layout.temporary,
      list: layout.layerList(diffId),
      mark: layout.unprovenLayer(diffId),
      diffId,
      limits,
    },
    onProgress: () => undefined,
  });
  job.grow(file.size);
  job.complete();
  await job.result;
}

/** Keeps a member as the blob that it is. */
export function keepMember({ store }: Load, file: ArchiveFile): void {
  const target = store.layout.blob(file.digest);
  rmSync(target, { force: true });
  linkSync(file.path, target);
}

/**
 * Unpacks a layer of which only the diffID is known, and finds the blob that a manifest may name for it: one that the store has, the
 * archive made again from its entries where that is the same to the byte, the member itself where it is packed, or the member packed.
 */
export async function storeMember(load: Load, file: ArchiveFile, diffId: Digest): Promise<Descriptor> {
  const { store } = load;
  const { layout } = store;
  const known = hasLayerList(layout, diffId) ? knownDescriptor(store, diffId) : undefined;
  if (known) return known;
  await unpackMember(load, file, diffId);
  const again = archiveAgain(layout, diffId);
  if (again.digest === diffId) return { mediaType: ociLayerTypes.tar, ...again };
  const packing = packingOf(file);
  if (packing !== undefined) {
    keepMember(load, file);
    return { mediaType: ociLayerTypes[packing], digest: file.digest, size: file.size };
  }
  return packMember(layout, file);
}

/** How an image of the store names the layer. */
function knownDescriptor(store: ImageStore, diffId: Digest): Descriptor | undefined {
  for (const { record } of indexedImages(store, allEntries(store), () => undefined)) {
    const descriptor = record.manifest.layers[record.config.diffIds.indexOf(diffId)];
    if (descriptor && hasBlob(store.layout, descriptor)) return descriptor;
  }
  return undefined;
}

/** Whether a blob is the plain archive that our writer makes of the layer's entries, and so need not be kept. */
export function canRebuild(layout: StoreLayout, blob: Digest, diffId: Digest): boolean {
  return blob === diffId && archiveAgain(layout, diffId).digest === diffId;
}

function archiveAgain(layout: StoreLayout, diffId: Digest): Pick<Descriptor, 'digest' | 'size'> {
  const digester = new Digester();
  let size = 0;
  for (const piece of layerTar(listedEntries(layout.layerList(diffId), layout.files))) {
    digester.update(piece);
    size += piece.length;
  }
  return { digest: digester.digest(), size };
}

function packingOf({ path }: ArchiveFile): 'gzip' | 'zstd' | undefined {
  const head = Buffer.alloc(4);
  const fd = openSync(path, 'r');
  readSync(fd, head, 0, 4, 0);
  closeSync(fd);
  if (head.readUInt16BE(0) === 0x1f8b) return 'gzip';
  return head.readUInt32LE(0) === 0xfd2fb528 ? 'zstd' : undefined;
}

async function packMember(layout: StoreLayout, file: ArchiveFile): Promise<Descriptor> {
  const path = join(layout.temporary, `packed-${process.pid}-${randomBytes(6).toString('hex')}`);
  const digester = new Digester();
  let size = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      digester.update(chunk);
      size += chunk.length;
      callback(null, chunk);
    },
  });
  try {
    const output = createWriteStream(path, { mode: 0o600, flags: 'wx' });
    await pipeline(createReadStream(file.path), createGzip({ level: 4, chunkSize: 256 * 1024 }), count, output);
    const digest = digester.digest();
    renameSync(path, layout.blob(digest));
    return { mediaType: ociLayerTypes.gzip, digest, size };
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
}
