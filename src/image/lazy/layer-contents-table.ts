/**
 * What a layer's table of contents tells: its entries, with the hashes of their contents, and where in the blob each content lies.
 * eStargz (github.com/containerd/stargz-snapshotter, docs/estargz.md) and zstd:chunked (github.com/containers/storage,
 * pkg/chunked) have nearly the same JSON in different places.
 */
import { layerEntry, layerPath, makeDevice, parseWhiteout, type LayerEntry, type LayerEntryType } from 'fuse-overlay';
import { ImageError, reasonOf } from '../image-error.ts';
import { isObject, type JsonObject } from '../json.ts';
import { isLayerXattr } from '../layer/layer-xattrs.ts';

/** A content within a blob: unpack the bytes from `start` to `end` (exclusive), leave out `skip`, take `size`. */
export interface ContentPlace {
  readonly start: number;
  readonly end: number;
  readonly skip: number;
  readonly size: number;
}

export interface ContentsTable {
  readonly entries: readonly LayerEntry[];
  /** By content id in hexadecimal. */
  readonly places: ReadonlyMap<string, ContentPlace>;
}

const types: Readonly<Record<string, LayerEntryType>> = {
  dir: 'directory',
  reg: 'file',
  symlink: 'symlink',
  hardlink: 'hardlink',
  char: 'character',
  block: 'block',
  fifo: 'fifo',
};

const ENTRY_LIMIT = 2_000_000;
const ID_LIMIT = 0xffff_fffe;

/**
 * Reads the JSON. `end`: where contents end in the blob. Throws INVALID where it is not such a table, or has what no layer may have:
 * then the layer can only be pulled whole.
 */
export function parseContentsTable(bytes: Buffer, end: number): ContentsTable {
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString());
  } catch (cause) {
    throw malformed('it is not JSON', cause);
  }
  const listed = isObject(document) ? document['entries'] : undefined;
  if (!Array.isArray(listed) || !listed.every(isObject) || listed.length > ENTRY_LIMIT)
    throw malformed('it has no entries');
  const starts = [...new Set(listed.flatMap((each) => (hasContent(each) ? [position(each, 'offset')] : [])))];
  starts.sort((a, b) => a - b);
  const entries: LayerEntry[] = [];
  const places = new Map<string, ContentPlace>();
  for (const [index, each] of listed.entries()) {
    if (each['type'] === 'chunk') continue;
    const entry = parseEntry(each);
    if (!entry) continue;
    entries.push(entry);
    if (!entry.contentId) continue;
    const start = position(each, 'offset');
    // The chunks of a large file follow it, side by side.
    let last = start;
    let stated = optionalPosition(each, 'endOffset');
    for (let next = index + 1; listed[next]?.['type'] === 'chunk'; next++) {
      last = Math.max(last, position(listed[next]!, 'offset'));
      stated = Math.max(stated, optionalPosition(listed[next]!, 'endOffset'));
    }
    const until = stated > last ? stated : (next(starts, last) ?? end);
    if (start >= until || until > end) throw malformed('a content lies outside of the blob');
    const skip = optionalPosition(each, 'innerOffset');
    places.set(Buffer.from(entry.contentId).toString('hex'), { start, end: until, skip, size: entry.size });
  }
  return { entries, places };
}

function parseEntry(each: JsonObject): LayerEntry | undefined {
  const type = types[String(each['type'])];
  const name = each['name'];
  if (type === undefined || typeof name !== 'string') throw malformed('an entry is of no known type');
  const path = checkedPath(name);
  const whiteout = parseWhiteout(path);
  if (whiteout === 'ignore') return undefined;
  if (whiteout) return layerEntry(whiteout);
  const size = type === 'file' ? optionalPosition(each, 'size') : 0;
  const [uid, gid] = [optionalPosition(each, 'uid'), optionalPosition(each, 'gid')];
  if (uid > ID_LIMIT || gid > ID_LIMIT) throw malformed('an entry has an impossible owner');
  const link = each['linkName'];
  const needsLink = type === 'symlink' || type === 'hardlink';
  if (needsLink && (typeof link !== 'string' || link === '' || link.length > 4095))
    throw malformed('a link leads nowhere');
  const isDevice = type === 'character' || type === 'block';
  return layerEntry({
    ...{ path, type, uid, gid, size },
    mode: optionalPosition(each, 'mode') & 0o7777,
    ...modificationTime(each['modtime']),
    rdev: isDevice
      ? makeDevice(optionalPosition(each, 'devMajor') & 0xfff, optionalPosition(each, 'devMinor') & 0xfffff)
      : 0,
    xattrs: parseXattrs(each['xattrs']),
    ...(needsLink && { target: type === 'hardlink' ? checkedPath(link as string) : Buffer.from(link as string) }),
    ...(size > 0 && { contentId: contentId(each['digest']) }),
  });
}

function hasContent(each: JsonObject): boolean {
  return each['type'] === 'chunk' || (each['type'] === 'reg' && optionalPosition(each, 'size') > 0);
}

function checkedPath(name: string): Buffer {
  try {
    return layerPath(Buffer.from(name));
  } catch (error) {
    throw malformed(reasonOf(error), error);
  }
}

function contentId(digest: unknown): Buffer {
  const hex = typeof digest === 'string' ? /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1] : undefined;
  if (hex === undefined) throw malformed('a file has no sha256 digest');
  return Buffer.from(hex, 'hex');
}

function modificationTime(value: unknown): { mtime: number; mtimeNsec: number } {
  const match = typeof value === 'string' ? /^([^.]*?)(?:\.([0-9]{1,9}))?(Z|[+-][0-9:]+)$/.exec(value) : undefined;
  const milliseconds = match ? Date.parse(match[1]! + match[3]!) : NaN;
  if (!Number.isFinite(milliseconds)) return { mtime: 0, mtimeNsec: 0 };
  return { mtime: milliseconds / 1000, mtimeNsec: Number((match![2] ?? '').padEnd(9, '0')) };
}

function parseXattrs(value: unknown): LayerEntry['xattrs'] {
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([name, content]) =>
    isLayerXattr(name) && typeof content === 'string'
      ? [{ name: Buffer.from(name), value: Buffer.from(content, 'base64') }]
      : [],
  );
}

function position(each: JsonObject, key: string): number {
  const value = each[key];
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw malformed(`an entry has no ${key}`);
  return value as number;
}

function optionalPosition(each: JsonObject, key: string): number {
  return each[key] === undefined ? 0 : position(each, key);
}

/** The first of the sorted numbers above `than`. */
function next(sorted: readonly number[], than: number): number | undefined {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle]! > than) high = middle;
    else low = middle + 1;
  }
  return sorted[low];
}

function malformed(reason: string, cause?: unknown): ImageError {
  return new ImageError('INVALID', `A layer's table of contents cannot be used: ${reason}`, { cause });
}
