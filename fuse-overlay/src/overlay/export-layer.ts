/** An upper layer as an OCI layer: what has to be laid over the lower layer to get the same tree. */
import { layerEntry, type LayerEntry, type LayerEntryType } from '../layers/layer.ts';
import { Attributes, FileType } from '../server/attributes.ts';
import { checked } from '../sys/errors.ts';
import { listAll, listChanges, type UnionChange } from './changes.ts';
import { openContents } from './operations/contents.ts';
import type { DirectoryListings } from './directory-listings.ts';
import { xattrsOf } from './operations/xattr.ts';
import type { Union } from './union.ts';
import { InodeFlag } from './upper/inode.ts';

export interface LayerExport {
  /** What became of the name; of a directory that is there only for what lies in it: `modified`. */
  readonly change: UnionChange['kind'];
  /** Without `contentId`: contents have to be read to know it. */
  readonly entry: LayerEntry;
  /** A descriptor of a regular file's contents, which the caller closes; undefined where there are none (`entry.size` is 0). */
  readonly open: (() => number) | undefined;
}

const types = new Map<number, LayerEntryType>([
  [FileType.file, 'file'],
  [FileType.directory, 'directory'],
  [FileType.symlink, 'symlink'],
  [FileType.fifo, 'fifo'],
  [FileType.character, 'character'],
  [FileType.block, 'block'],
]);

/**
 * Entries in an order in which they can be laid on one after the other: directories before what is in them, also those that
 * did not change, since unpackers make up the attributes of a directory that no entry states. Sockets are left out, tar has
 * no word for them. `mountPoints`: as for `exportOverlay`.
 */
export function* layerEntries(
  union: Union,
  listings: DirectoryListings,
  mountPoints: ReadonlySet<string> = new Set(),
): Generator<LayerExport> {
  const firstNames = new Map<number, Buffer>();
  const stated = new Set<string>();
  const holders = new Set([...mountPoints].map((path) => path.slice(0, Math.max(path.lastIndexOf('/'), 0))));
  for (const change of listChanges(union, listings)) {
    const path = change.path.toString('latin1');
    if (change.kind === 'added' && isMountPoint(union, path, change.ino, mountPoints)) continue;
    // What making mount points did to a directory's time is not the container's doing.
    if (holders.has(path) && isTimeAlone(union, change)) continue;
    yield* parents(union, change, firstNames, stated);
    if (change.kind === 'deleted') {
      const entry = layerEntry({ path: change.path, type: 'whiteout' });
      yield { change: 'deleted', entry, open: undefined };
      continue;
    }
    const described = describe(union, change, firstNames);
    if (!described) continue;
    yield described;
    if (described.entry.type !== 'directory') continue;
    stated.add(path);
    if (!change.replaces) continue;
    yield { change: 'modified', entry: layerEntry({ path: change.path, type: 'opaque' }), open: undefined };
  }
}

/** New, empty, and where the runtime mounts something; a directory may have such in it. */
function isMountPoint(union: Union, path: string, ino: number, mountPoints: ReadonlySet<string>): boolean {
  if (!mountPoints.has(path)) return false;
  const inode = union.store.get(ino);
  if (!inode) return false;
  if (!inode.entries) return (inode.mode & FileType.mask) === FileType.file && inode.size === 0;
  return [...inode.entries.values()].every(
    ({ name, ino: child }) => child === 0 || isMountPoint(union, `${path}/${name}`, child, mountPoints),
  );
}

function isTimeAlone(union: Union, { kind, ino, replaces }: UnionChange): boolean {
  if (kind !== 'modified' || replaces || !union.isLower(ino)) return false;
  const [now, before] = [new Attributes(), new Attributes()];
  if (union.stored(ino, now) < 0 || union.lower.getattr(ino, before) < 0) return false;
  const hasOwnXattrs = ((union.store.get(ino)?.flags ?? 0) & InodeFlag.ownXattrs) !== 0;
  return !hasOwnXattrs && now.mode === before.mode && now.uid === before.uid && now.gid === before.gid;
}

/** The whole union as a layer over nothing. */
export function* treeEntries(union: Union, listings: DirectoryListings): Generator<LayerExport> {
  const firstNames = new Map<number, Buffer>();
  for (const change of listAll(union, listings)) {
    const described = describe(union, change, firstNames);
    if (described) yield described;
  }
}

/** Directories above a change that no entry has stated yet; the root is stated only where it changed. */
function* parents(
  union: Union,
  { path, trail }: UnionChange,
  firstNames: Map<number, Buffer>,
  stated: Set<string>,
): Generator<LayerExport> {
  let end = -1;
  for (const ino of trail.slice(1)) {
    end = path.indexOf(0x2f, end + 1);
    const parent = path.subarray(0, end);
    const key = parent.toString('latin1');
    if (stated.has(key)) continue;
    stated.add(key);
    const change: UnionChange = { path: parent, kind: 'modified', ino, replaces: false, trail: [] };
    const described = describe(union, change, firstNames);
    if (described) yield described;
  }
}

/** `firstNames`: by inode number, of files with several names: the path of the first one. */
function describe(
  union: Union,
  { ino, path, kind }: UnionChange,
  firstNames: Map<number, Buffer>,
): LayerExport | undefined {
  const attributes = new Attributes();
  checked(union.stored(ino, attributes), 'getattr', `export inode ${ino}`);
  const type = types.get(attributes.mode & FileType.mask);
  if (!type) return undefined;
  let target: Buffer | undefined;
  if (type !== 'directory' && attributes.nlink > 1) {
    target = firstNames.get(ino);
    if (!target) firstNames.set(ino, path);
  }
  const { uid, gid, mtime, mtimeNsec } = attributes;
  const size = type === 'file' && !target ? attributes.size : 0;
  const entry = layerEntry({
    // A link tells the attributes of its file again: some unpackers set them.
    ...{ path, type: target ? 'hardlink' : type, mode: attributes.mode & 0o7777, uid, gid, mtime, mtimeNsec, size },
    rdev: type === 'character' || type === 'block' ? attributes.rdev : 0,
    xattrs: xattrsOf(union, ino).map(([name, value]) => ({ name: Buffer.from(name, 'latin1'), value })),
    ...(target && { target }),
    ...(type === 'symlink' && !target && { target: targetOf(union, ino) }),
  });
  return {
    change: kind,
    entry,
    open: size > 0 ? () => checked(openContents(union, ino), 'open', `export inode ${ino}`) : undefined,
  };
}

function targetOf(union: Union, ino: number): Buffer {
  const target = union.readlink(ino);
  return typeof target === 'number' ? (checked(target, 'readlink', `export symlink ${ino}`) as never) : target;
}
