/**
 * Layers that were made here as they are sent: gzip over the archive. What a layer packs to is noted, so that a registry which has
 * it already is sent nothing and nothing is packed again.
 */
import { randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { readJson, writeJson } from '../../state/atomic-file.ts';
import { Digester, digestHex, isDigest, type Digest } from '../digest.ts';
import { ImageError } from '../image-error.ts';
import { isObject } from '../json.ts';
import { openLayerTar } from '../layer/stored-layer.ts';
import { ociLayerTypes, type Descriptor } from '../manifest.ts';
import type { StoreLayout } from '../store/layout.ts';

/** The packed blob in a file that goes when it is disposed of. */
export interface PackedLayer extends Disposable {
  readonly descriptor: Descriptor;
  open(start: number): Readable;
}

/** What a layer packed to when it was last packed, if it was. */
export function knownPacking(layout: StoreLayout, diffId: Digest): Descriptor | undefined {
  const noted = readJson<unknown>(notePath(layout, diffId));
  if (!isObject(noted) || !isDigest(noted['digest']) || typeof noted['size'] !== 'number') return undefined;
  return { mediaType: ociLayerTypes.gzip, digest: noted['digest'], size: noted['size'] };
}

/** Packs a layer. Throws DAMAGED where its contents are not what they were. */
export async function packLayer(
  layout: StoreLayout,
  diffId: Digest,
  signal: AbortSignal | undefined,
): Promise<PackedLayer> {
  const path = join(layout.temporary, `packed-${process.pid}-${randomBytes(6).toString('hex')}`);
  const [plain, packed] = [new Digester(), new Digester()];
  let size = 0;
  function count(chunk: Buffer): void {
    packed.update(chunk);
    size += chunk.length;
  }
  try {
    await pipeline(
      openLayerTar(layout, diffId),
      observe((chunk) => plain.update(chunk)),
      createGzip({ chunkSize: 256 * 1024 }),
      observe(count),
      createWriteStream(path, { mode: 0o600, flags: 'wx' }),
      { ...(signal && { signal }) },
    );
    if (plain.digest() !== diffId) {
      throw new ImageError('DAMAGED', `Layer ${diffId} in the image store is damaged: run 'trun image verify'`);
    }
  } catch (error) {
    rmSync(path, { force: true });
    throw error;
  }
  const descriptor = { mediaType: ociLayerTypes.gzip, digest: packed.digest(), size };
  writeJson(notePath(layout, diffId), { digest: descriptor.digest, size });
  return {
    descriptor,
    open: (start) => createReadStream(path, { start, highWaterMark: 256 * 1024 }),
    [Symbol.dispose]: () => rmSync(path, { force: true }),
  };
}

function notePath(layout: StoreLayout, diffId: Digest): string {
  return join(layout.packed, digestHex(diffId));
}

function observe(onChunk: (chunk: Buffer) => void): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, callback) {
      onChunk(chunk);
      callback(null, chunk);
    },
  });
}
