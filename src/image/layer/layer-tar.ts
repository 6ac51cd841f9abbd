/** Entries of a layer as the tar archive that image-spec's layer.md describes, whiteouts in their OCI form. */
import { closeSync, readSync } from 'node:fs';
import { deviceMajor, deviceMinor, type LayerEntry } from 'fuse-overlay';
import type { TarEntry, TarEntryType } from '../unpack/tar-reader.ts';
import { encodeTarEntry, tarEnd, tarPadding } from '../unpack/tar-writer.ts';

/** One entry and how to get at its contents: a descriptor of a regular file, which the reader closes. */
export interface LayerSource {
  readonly entry: LayerEntry;
  /** Undefined where there are no contents. */
  readonly open: (() => number) | undefined;
}

const CHUNK = 1024 * 1024;

/** The archive, piece by piece. A piece is valid until the next one is asked for. */
export function* layerTar(sources: Iterable<LayerSource>): Generator<Buffer> {
  for (const { entry, open } of sources) {
    const header = layerTarHeader(entry);
    if (!header) continue;
    yield header;
    if (!open) continue;
    const fd = open();
    try {
      yield* readContent(fd, entry.size);
    } finally {
      closeSync(fd);
    }
    yield tarPadding(entry.size);
  }
  yield tarEnd;
}

/** The header of an entry; undefined for a socket, which tar has no word for. */
export function layerTarHeader(entry: LayerEntry): Buffer | undefined {
  const tar = tarEntry(entry);
  return tar && encodeTarEntry(tar);
}

function tarEntry(entry: LayerEntry): TarEntry | undefined {
  const { path, type } = entry;
  if (type === 'socket') return undefined;
  if (type === 'whiteout') return { ...empty, path: beside(path, `.wh.`) };
  if (type === 'opaque') return { ...empty, path: path.length === 0 ? opaque : Buffer.concat([path, slash, opaque]) };
  const { mode, uid, gid, size, mtime, mtimeNsec, rdev, xattrs, target } = entry;
  const shown: TarEntryType = type;
  return {
    type: shown,
    path: path.length === 0 ? Buffer.from('.') : path,
    linkPath: target ?? empty.linkPath,
    ...{ mode, uid, gid, size, mtime, mtimeNsec, xattrs },
    major: deviceMajor(rdev),
    minor: deviceMinor(rdev),
  };
}

const slash = Buffer.from('/');
const opaque = Buffer.from('.wh..wh..opq');

const empty: TarEntry = {
  type: 'file',
  path: Buffer.alloc(0),
  linkPath: Buffer.alloc(0),
  mode: 0,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0,
  mtimeNsec: 0,
  major: 0,
  minor: 0,
  xattrs: [],
};

/** `a/b` -> `a/PREFIXb` */
function beside(path: Buffer, prefix: string): Buffer {
  const cut = path.lastIndexOf(0x2f) + 1;
  return Buffer.concat([path.subarray(0, cut), Buffer.from(prefix), path.subarray(cut)]);
}

/** Exactly `size` bytes: a file that is cut off meanwhile goes on with zeros, one that grows ends where it ended. */
export function* readContent(fd: number, size: number): Generator<Buffer> {
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK, size));
  for (let at = 0; at < size;) {
    const wanted = Math.min(buffer.length, size - at);
    const length = readSync(fd, buffer, 0, wanted, at) || buffer.fill(0, 0, wanted).length;
    const taken = Math.min(length, wanted);
    yield buffer.subarray(0, taken);
    at += taken;
  }
}
