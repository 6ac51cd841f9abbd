/**
 * One layer's archive -> contents in the store and the layer's list of entries. Nothing is created by a name from the archive,
 * on any file system: names go into the list, contents into files named by their hash, device nodes are two numbers. So links,
 * absolute names and the like have nothing to break out of; what no tree can hold is refused all the same, so that a hostile
 * image is an error at pull and not a surprise at run.
 */
import { layerEntry, layerPath, LayerListWriter, makeDevice, parseWhiteout, type LayerEntry } from 'fuse-overlay';
import { reasonOf } from '../image-error.ts';
import { isLayerXattr } from '../layer/layer-xattrs.ts';
import type { ContentWriter } from './content-writer.ts';
import { PATH_LIMIT, XATTR_NAME_LIMIT, XATTR_VALUE_LIMIT, type UnpackLimits } from './limits.ts';
import { TarError } from './tar-header.ts';
import type { TarEntry, TarSink } from './tar-reader.ts';

/** 2^32 - 1 means "unchanged" to chown(2). */
const ID_LIMIT = 0xffff_fffe;
/** include/linux/kdev_t.h: 12 bits of major, 20 of minor. */
const MAJOR_LIMIT = 0xfff;
const MINOR_LIMIT = 0xfffff;

export class LayerUnpacker implements TarSink {
  readonly list = new LayerListWriter();
  readonly #contents: ContentWriter;
  readonly #limits: UnpackLimits;
  #entry: LayerEntry | undefined;
  #metadataBytes = 0;
  #holeBytes = 0;
  /** Bytes of all files, as Docker counts a layer's size. */
  contentBytes = 0;

  constructor(contents: ContentWriter, limits: UnpackLimits) {
    this.#contents = contents;
    this.#limits = limits;
  }

  entry(entry: TarEntry): void {
    this.#entry = undefined;
    const path = cleanPath(entry, entry.path);
    this.#count(entry);
    const whiteout = parseWhiteout(path);
    if (whiteout) {
      if (whiteout !== 'ignore') this.list.add(layerEntry({ ...whiteout, path: whitedOut(entry, whiteout.path) }));
      return;
    }
    refuseEmptyWhiteout(entry, path);
    if (path.length === 0 && entry.type !== 'directory') throw problem(entry, 'would replace the root directory');
    const made = this.#makeEntry(entry, path);
    if (made.type !== 'file') return this.list.add(made);
    this.contentBytes += entry.size;
    if (this.contentBytes > this.#limits.layerBytes) throw tooLarge(this.#limits);
    this.#entry = made;
    if (entry.size > 0) this.#contents.begin(entry.size);
  }

  data(chunk: Buffer): void {
    if (this.#entry) this.#contents.write(chunk);
  }

  hole(size: number): void {
    this.#holeBytes += size;
    if (this.#holeBytes > this.#limits.layerBytes) throw tooLarge(this.#limits);
    if (this.#entry) this.#contents.hole(size);
  }

  endOfEntry(): void {
    const entry = this.#entry;
    if (!entry) return;
    this.#entry = undefined;
    this.list.add(entry.size > 0 ? { ...entry, contentId: this.#contents.end() } : entry);
  }

  #count(entry: TarEntry): void {
    this.#metadataBytes += entry.path.length + entry.linkPath.length;
    for (const { name, value } of entry.xattrs) this.#metadataBytes += name.length + value.length;
    if (this.list.count >= this.#limits.entries) throw new TarError(`it has over ${this.#limits.entries} entries`);
    if (this.#metadataBytes > this.#limits.metadataBytes) {
      throw new TarError(`its names and attributes take over ${this.#limits.metadataBytes} bytes`);
    }
  }

  #makeEntry(entry: TarEntry, path: Buffer): LayerEntry {
    const { uid, gid } = entry;
    if (uid < 0 || uid > ID_LIMIT || gid < 0 || gid > ID_LIMIT) throw problem(entry, `has the owner ${uid}:${gid}`);
    const isDevice = entry.type === 'character' || entry.type === 'block';
    return layerEntry({
      path,
      type: entry.type,
      mode: entry.mode & 0o7777,
      uid,
      gid,
      size: entry.size,
      mtime: entry.mtime,
      mtimeNsec: entry.mtimeNsec,
      rdev: isDevice ? deviceNumber(entry) : 0,
      xattrs: takeXattrs(entry),
      ...(entry.type === 'symlink' && { target: symlinkTarget(entry) }),
      ...(entry.type === 'hardlink' && { target: hardLinkTarget(entry) }),
    });
  }
}

function cleanPath(entry: TarEntry, raw: Buffer): Buffer {
  if (raw.length > PATH_LIMIT) throw problem(entry, `has a path over ${PATH_LIMIT} bytes`);
  try {
    return layerPath(raw);
  } catch (error) {
    throw new TarError(reasonOf(error), { cause: error });
  }
}

function symlinkTarget(entry: TarEntry): Buffer {
  const target = entry.linkPath;
  if (target.length === 0 || target.includes(0)) throw problem(entry, 'is a symbolic link without a valid target');
  if (target.length > PATH_LIMIT) throw problem(entry, `is a symbolic link with a target over ${PATH_LIMIT} bytes`);
  return target;
}

function hardLinkTarget(entry: TarEntry): Buffer {
  const target = cleanPath(entry, entry.linkPath);
  if (target.length === 0) throw problem(entry, 'is a hard link without a valid target');
  return target;
}

function deviceNumber(entry: TarEntry): number {
  const { major, minor } = entry;
  if (major < 0 || major > MAJOR_LIMIT || minor < 0 || minor > MINOR_LIMIT) {
    throw problem(entry, `has the device number ${major}:${minor}`);
  }
  return makeDevice(major, minor);
}

/** `.wh..` and `.wh...` would remove the directory they lie in, or the one above. */
function whitedOut(entry: TarEntry, path: Buffer): Buffer {
  const name = path.subarray(path.lastIndexOf(0x2f) + 1).toString('latin1');
  if (name === '.' || name === '..') throw problem(entry, 'is a whiteout of a parent directory');
  return path;
}

function refuseEmptyWhiteout(entry: TarEntry, path: Buffer): void {
  const name = path.subarray(path.lastIndexOf(0x2f) + 1).toString('latin1');
  if (name === '.wh.') throw problem(entry, 'is a whiteout of nothing');
}

/** The attributes that mean something inside a container. */
function takeXattrs(entry: TarEntry): TarEntry['xattrs'] {
  return entry.xattrs.filter(({ name, value }) => {
    const text = name.toString('latin1');
    if (name.length > XATTR_NAME_LIMIT || name.includes(0) || value.length > XATTR_VALUE_LIMIT) {
      throw problem(entry, 'has an extended attribute that no file can have');
    }
    return isLayerXattr(text);
  });
}

function tooLarge(limits: UnpackLimits): TarError {
  return new TarError(`it has over ${limits.layerBytes} bytes when unpacked`);
}

function problem(entry: TarEntry, what: string): TarError {
  const path = entry.path.toString();
  const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path;
  return new TarError(`entry ${JSON.stringify(shown)} ${what}`);
}
