/** Layers with a table of contents, for tests: eStargz and zstd:chunked as their specifications have them. */
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { digestOf, type Digest } from '../digest.ts';
import { encodeTarEntry, tarEnd, tarPadding } from '../unpack/tar-writer.ts';
import type { TarEntry } from '../unpack/tar-reader.ts';
import { buildTar } from './tar-builder.ts';

export interface LazyFile {
  readonly path: string;
  /** Absent: a directory. */
  readonly content?: Buffer;
  /** A symbolic link. */
  readonly link?: string;
  readonly hardLink?: string;
  readonly mode?: number;
}

export interface LazyLayer {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly diffId: Digest;
  /** The plain archive. */
  readonly tar: Buffer;
}

/** Bytes of a chunk of a large file. */
const CHUNK = 100_000;

function header({ path, content, link, hardLink, mode }: LazyFile): Buffer {
  const type = hardLink !== undefined ? 'hardlink' : link !== undefined ? 'symlink' : content ? 'file' : 'directory';
  const entry: TarEntry = {
    ...{ type, path: Buffer.from(path), linkPath: Buffer.from(link ?? hardLink ?? ''), mode: mode ?? 0o755 },
    ...{ uid: 0, gid: 0, size: content?.length ?? 0, mtime: 1000, mtimeNsec: 0, major: 0, minor: 0, xattrs: [] },
  };
  return encodeTarEntry(entry);
}

function tocEntry({ path, content, link, hardLink, mode = 0o755 }: LazyFile): Record<string, unknown> {
  const common = { name: path, mode, modtime: '1970-01-01T00:16:40Z', uid: 0, gid: 0 };
  if (hardLink !== undefined) return { ...common, type: 'hardlink', linkName: hardLink };
  if (link !== undefined) return { ...common, type: 'symlink', linkName: link };
  if (!content) return { ...common, name: `${path}/`, type: 'dir' };
  return { ...common, type: 'reg', size: content.length, ...(content.length > 0 && { digest: digestOf(content) }) };
}

function chunksOf(content: Buffer): Buffer[] {
  const count = Math.ceil(content.length / CHUNK);
  return Array.from({ length: count }, (_, index) => content.subarray(index * CHUNK, (index + 1) * CHUNK));
}

export function chunkedLayer(files: readonly LazyFile[]): LazyLayer {
  const parts: Buffer[] = [];
  const plain: Buffer[] = [];
  const entries: object[] = [];
  let offset = 0;
  function frame(bytes: Buffer): void {
    if (bytes.length === 0) return;
    const packed = zstdCompressSync(bytes);
    parts.push(packed);
    plain.push(bytes);
    offset += packed.length;
  }
  for (const file of files) {
    frame(header(file));
    const content = file.content ?? Buffer.alloc(0);
    const own: Record<string, unknown>[] = [tocEntry(file)];
    for (const [index, chunk] of chunksOf(content).entries()) {
      const place = { offset, chunkOffset: index * CHUNK, chunkSize: chunk.length };
      frame(chunk);
      if (index === 0) Object.assign(own[0]!, place);
      else own.push({ type: 'chunk', name: file.path, ...place });
    }
    if (content.length > 0) own[0]!['endOffset'] = offset;
    entries.push(...own);
    frame(tarPadding(content.length));
  }
  frame(tarEnd);
  const json = Buffer.from(JSON.stringify({ version: 1, entries }));
  const toc = zstdCompressSync(json);
  const position = offset + 8;
  parts.push(skippable(toc), skippable(Buffer.alloc(64)));
  const tar = Buffer.concat(plain);
  return {
    bytes: Buffer.concat(parts),
    mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd',
    annotations: {
      'io.github.containers.zstd-chunked.manifest-position': `${position}:${toc.length}:${json.length}:1`,
      'io.github.containers.zstd-chunked.manifest-checksum': digestOf(toc),
    },
    diffId: digestOf(tar),
    tar,
  };
}

/** RFC 8878 3.1.2 */
function skippable(content: Buffer): Buffer {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a50, 0);
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content]);
}

export function stargzLayer(files: readonly LazyFile[]): LazyLayer {
  const parts: Buffer[] = [];
  const plain: Buffer[] = [];
  const entries: object[] = [];
  let offset = 0;
  let pending: Buffer[] = [];
  // A content begins a member; the headers that follow it are in the same one.
  function flush(): void {
    if (pending.length === 0) return;
    const packed = gzipSync(Buffer.concat(pending));
    plain.push(...pending);
    parts.push(packed);
    offset += packed.length;
    pending = [];
  }
  for (const file of files) {
    pending.push(header(file));
    const content = file.content ?? Buffer.alloc(0);
    const own: Record<string, unknown>[] = [tocEntry(file)];
    for (const [index, chunk] of chunksOf(content).entries()) {
      flush();
      const place = { offset, chunkOffset: index * CHUNK, chunkSize: chunk.length };
      pending.push(chunk);
      if (index === 0) Object.assign(own[0]!, place);
      else own.push({ type: 'chunk', name: file.path, ...place });
    }
    pending.push(tarPadding(content.length));
    entries.push(...own);
  }
  const json = Buffer.from(JSON.stringify({ version: 1, entries }));
  flush();
  const tocOffset = offset;
  const tocTar = buildTar([{ path: 'stargz.index.json', content: json }]);
  pending.push(tocTar);
  flush();
  parts.push(stargzFooter(tocOffset));
  const tar = Buffer.concat(plain);
  return {
    bytes: Buffer.concat(parts),
    mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    annotations: { 'containerd.io/snapshot/stargz/toc.digest': digestOf(json) },
    diffId: digestOf(tar),
    tar,
  };
}

/** An empty gzip member of 51 bytes whose extra field says where the table is. */
function stargzFooter(offset: number): Buffer {
  const extra = Buffer.from(`SG\x16\0${offset.toString(16).padStart(16, '0')}STARGZ`, 'latin1');
  const head = Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, extra.length, 0]);
  return Buffer.concat([head, extra, Buffer.from([1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0])]);
}
