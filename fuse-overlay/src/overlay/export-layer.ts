/** An upper layer as an OCI layer: what has to be laid over the lower layer to get the same tree. */
import { layerEntry, type LayerEntry, type LayerEntryType } from '../layers/layer.ts';
import { Attributes, FileType } from '../server/attributes.ts';
import { checked } from '../sys/errors.ts';
import { listChanges, type UnionChange } from './changes.ts';
import { openContents } from './operations/contents.ts';
import type { DirectoryListings } from './directory-listings.ts';
import { xattrsOf } from './operations/xattr.ts';
import type { Union } from './union.ts';

export interface LayerExport {
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
 * Entries in an order in which they can be laid on one after the other: directories before what is in them. Sockets are left
 * out, tar has no word for them.
 */
export function* layerEntries(union: Union, listings: DirectoryListings): Generator<LayerExport> {
  /** By inode number, of files with several names: the path of the first one. */
  const firstNames = new Map<number, Buffer>();
  for (const change of listChanges(union, listings)) {
    if (change.kind === 'deleted') {
      yield { entry: layerEntry({ path: change.path, type: 'whiteout' }), open: undefined };
      continue;
    }
    const described = describe(union, change, firstNames);
    if (!described) continue;
    yield described;
    if (described.entry.type === 'directory' && change.replaces) {
      yield { entry: layerEntry({ path: change.path, type: 'opaque' }), open: undefined };
    }
  }
}

function describe(union: Union, { ino, path }: UnionChange, firstNames: Map<number, Buffer>): LayerExport | undefined {
  const attributes = new Attributes();
  checked(union.stored(ino, attributes), 'getattr', `export inode ${ino}`);
  const type = types.get(attributes.mode & FileType.mask);
  if (!type) return undefined;
  if (type !== 'directory' && attributes.nlink > 1) {
    const first = firstNames.get(ino);
    if (first) return { entry: layerEntry({ path, type: 'hardlink', target: first }), open: undefined };
    firstNames.set(ino, path);
  }
  const { uid, gid, mtime, mtimeNsec } = attributes;
  const size = type === 'file' ? attributes.size : 0;
  const entry = layerEntry({
    ...{ path, type, mode: attributes.mode & 0o7777, uid, gid, mtime, mtimeNsec, size },
    rdev: type === 'character' || type === 'block' ? attributes.rdev : 0,
    xattrs: xattrsOf(union, ino).map(([name, value]) => ({ name: Buffer.from(name, 'latin1'), value })),
    ...(type === 'symlink' && { target: targetOf(union, ino) }),
  });
  return { entry, open: size > 0 ? () => checked(openContents(union, ino), 'open', `export inode ${ino}`) : undefined };
}

function targetOf(union: Union, ino: number): Buffer {
  const target = union.readlink(ino);
  return typeof target === 'number' ? (checked(target, 'readlink', `export symlink ${ino}`) as never) : target;
}
