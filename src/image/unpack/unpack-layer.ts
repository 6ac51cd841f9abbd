import type { LayerListWriter } from 'fuse-overlay';
import type { Digest } from '../digest.ts';
import { Digester } from '../digest.ts';
import { markUnproven } from '../store/durability.ts';
import { ContentWriter } from './content-writer.ts';
import { decompress } from './decompress.ts';
import { LayerUnpacker } from './layer-unpacker.ts';
import type { UnpackLimits } from './limits.ts';
import { TarError } from './tar-header.ts';
import { TarReader } from './tar-reader.ts';

export interface UnpackRequest {
  /** The content store's directory. */
  readonly files: string;
  /** Directory for files that are not complete yet, on the same file system. */
  readonly temporary: string;
  /** Where the list of entries goes once `diffId` is proven. */
  readonly list: string;
  /** Where a mark goes just before, that its contents may still be in the page cache alone. */
  readonly mark: string;
  readonly diffId: Digest;
  readonly limits: UnpackLimits;
}

export interface UnpackResult {
  /** Bytes of the layer's files. */
  readonly size: number;
}

/**
 * Unpacks a layer blob while it streams in. The list, which makes the layer exist, is written only when the archive proved to be
 * what the image's config promises (diffID), so a blob that lies or breaks off leaves contents under their own hashes at most.
 */
export async function unpackLayer(
  blob: AsyncIterable<Buffer>,
  request: UnpackRequest,
  onBytes: (uncompressed: number) => void,
): Promise<UnpackResult> {
  const { diffId, list, contentBytes } = await unpackArchive(blob, request, onBytes);
  if (diffId !== request.diffId)
    throw new TarError(`it unpacks to ${diffId}, not to ${request.diffId} as its image says`);
  markUnproven(request.mark);
  list.commit(request.list);
  return { size: contentBytes };
}

export interface UnpackedArchive {
  /** Digest of the plain archive. */
  readonly diffId: Digest;
  /** Its entries, not written yet. */
  readonly list: LayerListWriter;
  /** Bytes of its files. */
  readonly contentBytes: number;
}

/** Unpacks an archive of which nothing is known: contents go into the content store, the list is the caller's to write. */
export async function unpackArchive(
  blob: AsyncIterable<Buffer>,
  { files, temporary, limits }: Pick<UnpackRequest, 'files' | 'temporary' | 'limits'>,
  onBytes: (uncompressed: number) => void,
): Promise<UnpackedArchive> {
  using contents = new ContentWriter(files, temporary);
  const unpacker = new LayerUnpacker(contents, limits);
  const reader = new TarReader(unpacker);
  const digester = new Digester();
  let bytes = 0;
  for await (const chunk of decompress(blob)) {
    bytes += chunk.length;
    if (bytes > limits.layerBytes) throw new TarError(`it has over ${limits.layerBytes} bytes when unpacked`);
    digester.update(chunk);
    reader.write(chunk);
    onBytes(bytes);
  }
  reader.end();
  return { diffId: digester.digest(), list: unpacker.list, contentBytes: unpacker.contentBytes };
}
