/** Fetching a layer's table of contents: a few ranges of the blob, proven by what the manifest says of it. */
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { digestOf, isDigest } from '../digest.ts';
import { ImageError } from '../image-error.ts';
import type { Descriptor } from '../manifest.ts';
import { TarReader } from '../unpack/tar-reader.ts';
import { parseContentsTable, type ContentsTable } from './layer-contents-table.ts';

/** Bytes of a blob from `start` to `end` (exclusive). */
export type FetchRange = (start: number, end: number) => Promise<Buffer>;

/** The annotations of the two formats on a layer's descriptor. */
const annotation = {
  estargzDigest: 'containerd.io/snapshot/stargz/toc.digest',
  chunkedPosition: 'io.github.containers.zstd-chunked.manifest-position',
  chunkedDigest: 'io.github.containers.zstd-chunked.manifest-checksum',
} as const;

const TABLE_LIMIT = 256 * 1024 * 1024;
/** docs/estargz.md, "Footer". */
const ESTARGZ_FOOTER = 51;

/** Whether a layer says that it has a table of contents. */
export function hasContentsTable({ annotations = {} }: Descriptor): boolean {
  return annotation.estargzDigest in annotations || annotation.chunkedDigest in annotations;
}

/** Throws INVALID where the table is not what the manifest promises. */
export async function readContentsTable(layer: Descriptor, fetch: FetchRange): Promise<ContentsTable> {
  const { annotations = {} } = layer;
  return annotation.chunkedDigest in annotations ? readChunked(layer, fetch) : readEstargz(layer, fetch);
}

/** `offset:length:uncompressed length:type`; the digest is of the packed table. */
async function readChunked({ annotations = {}, size }: Descriptor, fetch: FetchRange): Promise<ContentsTable> {
  const digest = annotations[annotation.chunkedDigest];
  const match = /^([0-9]{1,15}):([0-9]{1,15}):([0-9]{1,15}):1$/.exec(annotations[annotation.chunkedPosition] ?? '');
  const [start, length, plain] = (match ?? []).slice(1).map(Number) as [number, number, number];
  if (!match || start + length > size || plain > TABLE_LIMIT) throw unusable('its place is malformed');
  const packed = await fetch(start, start + length);
  if (!isDigest(digest) || digestOf(packed) !== digest) throw unusable('it is not what the manifest promises');
  return parseContentsTable(
    unpack(() => zstdDecompressSync(packed, { maxOutputLength: plain + 1 })),
    start,
  );
}

/** The footer says where a gzipped tar with the one file stargz.index.json begins; the digest is of that file. */
async function readEstargz({ annotations = {}, size }: Descriptor, fetch: FetchRange): Promise<ContentsTable> {
  const footer = await fetch(Math.max(size - ESTARGZ_FOOTER, 0), size);
  // A subfield of a gzip header (RFC 1952 2.3.1.1): `SG`, its length of 22, sixteen digits and the word.
  const hex = /SG..([0-9a-f]{16})STARGZ/s.exec(footer.toString('latin1'))?.[1];
  const start = hex === undefined ? NaN : Number.parseInt(hex, 16);
  if (!(start < size - ESTARGZ_FOOTER)) throw unusable('its footer is malformed');
  const packed = await fetch(start, size - ESTARGZ_FOOTER);
  const tar = unpack(() => gunzipSync(packed, { maxOutputLength: TABLE_LIMIT }));
  const table = onlyFile(tar);
  if (digestOf(table) !== annotations[annotation.estargzDigest]) throw unusable('it is not what the manifest promises');
  return parseContentsTable(table, start);
}

function onlyFile(tar: Buffer): Buffer {
  const parts: Buffer[] = [];
  const reader = new TarReader({
    entry: () => undefined,
    data: (chunk) => void parts.push(Buffer.from(chunk)),
    hole: () => undefined,
    endOfEntry: () => undefined,
  });
  reader.write(tar);
  return Buffer.concat(parts);
}

function unpack(action: () => Buffer): Buffer {
  try {
    return action();
  } catch (cause) {
    throw unusable('its compressed data is corrupt', cause);
  }
}

function unusable(reason: string, cause?: unknown): ImageError {
  return new ImageError('INVALID', `A layer's table of contents cannot be used: ${reason}`, { cause });
}
