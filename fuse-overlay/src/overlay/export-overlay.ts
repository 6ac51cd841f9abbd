/**
 * The upper directory of a kernel overlay, read beside its lower layer: what has to be laid over that to get the same tree.
 *
 * overlayfs marks (Documentation/filesystems/overlayfs.rst): a character device 0:0, or an empty file with an attribute, is a
 * name that is gone; an opaque directory hides what the lower layer has in its place; any other directory of both is merged.
 * Redirected directories are unknown to overlays that an ordinary user may mount (`userxattr` rules them out), so none is here.
 * Hard links are told by inode number among the files of the upper directory; a copied-up file has left its lower links.
 */
import { DirectoryLayer } from '../layers/directory-layer.ts';
import { layerEntry, type LayerEntryType, type Xattr } from '../layers/layer.ts';
import type { LowerLayer } from '../layers/lower-layer.ts';
import { Attributes, FileType } from '../server/attributes.ts';
import { Name } from '../server/name.ts';
import { checked } from '../sys/errors.ts';
import type { LayerExport } from './export-layer.ts';

export interface OverlayExportOptions {
  /** Closed in the end. */
  readonly lower: LowerLayer;
  readonly upperDir: string;
  /** Everything, the lower layer's files included, as a layer over nothing. */
  readonly whole?: boolean;
  /** Show every file of the lower layer as root's: for a user namespace that maps a single id. */
  readonly owner?: boolean;
  /**
   * Paths (without `/` in front) that the container's runtime made for its mounts: what is new and empty there is left out, and
   * so is what it did to the time of the directory.
   */
  readonly mountPoints?: ReadonlySet<string>;
}

/** A node of one of the two layers. */
interface Side {
  readonly layer: LowerLayer;
  readonly node: number;
  readonly attributes: Attributes;
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
 * The entries in an order in which they can be laid on one after the other, names in the order of their bytes. Needs the right to
 * read the upper directory, whose owners are told as this process' user namespace numbers them. May be read while it is mounted:
 * what changes meanwhile comes as it was or as it is.
 */
export function* exportOverlay(options: OverlayExportOptions): Generator<LayerExport> {
  const { lower } = options;
  const upper = new DirectoryLayer(options.upperDir);
  try {
    yield* new OverlayWalk(upper, options).entries();
  } finally {
    upper.close();
    lower.close();
  }
}

class OverlayWalk {
  readonly #upper: DirectoryLayer;
  readonly #lower: LowerLayer;
  readonly #whole: boolean;
  readonly #owner: boolean;
  readonly #mountPoints: ReadonlySet<string>;
  /** Path of the first name of each file that has several, by layer and inode number. */
  readonly #firstNames = new Map<string, Buffer>();

  constructor(upper: DirectoryLayer, { lower, whole, owner, mountPoints }: OverlayExportOptions) {
    this.#upper = upper;
    this.#lower = lower;
    this.#whole = whole === true;
    this.#owner = owner === true;
    this.#mountPoints = mountPoints ?? new Set();
  }

  *entries(): Generator<LayerExport> {
    const upper = this.#attributesOf(this.#upper, this.#upper.root);
    const lower = this.#attributesOf(this.#lower, this.#lower.root);
    yield* this.#directory('', upper, lower, 'modified', false);
  }

  *#name(path: string, upper: Side | undefined, lower: Side | undefined): Generator<LayerExport> {
    if (upper && this.#isWhiteout(upper)) {
      if (lower && !this.#whole) {
        yield { change: 'deleted', entry: layerEntry({ path: bytes(path), type: 'whiteout' }), open: undefined };
      }
      return;
    }
    const shown = upper ?? lower;
    if (!shown || (upper && !lower && this.#isMountPoint(path, upper))) return;
    const change = upper && lower && !this.#whole ? 'modified' : 'added';
    if (!isDirectory(shown)) {
      yield* this.#describe(path, shown, change);
      return;
    }
    const isReplaced =
      upper !== undefined && lower !== undefined && isDirectory(lower) && this.#upper.isOpaque(upper.node);
    const merged = lower && isDirectory(lower) && !isReplaced ? lower : undefined;
    yield* this.#directory(path, upper, merged, change, isReplaced);
  }

  /** A directory and what is in it. One of both layers is told only where it differs or something in it does. */
  *#directory(
    path: string,
    upper: Side | undefined,
    lower: Side | undefined,
    change: LayerExport['change'],
    isReplaced: boolean,
  ): Generator<LayerExport> {
    const names = this.#names(upper, lower);
    const hasMountPoints = names.some((name) => this.#mountPoints.has(join(path, name)));
    // What making mount points did to the directory's time is not the container's doing.
    const timeOf = hasMountPoints && lower ? lower : undefined;
    let isTold = this.#whole || !upper || !lower || !this.#isSame(upper, lower, timeOf !== undefined);
    if (isTold) yield* this.#describe(path, upper ?? lower!, change, timeOf);
    if (isReplaced && !this.#whole) {
      yield { change: 'modified', entry: layerEntry({ path: bytes(path), type: 'opaque' }), open: undefined };
    }
    for (const name of names) {
      const sides = [this.#lookup(this.#upper, upper, name), this.#lookup(this.#lower, lower, name)] as const;
      for (const each of this.#name(join(path, name), ...sides)) {
        if (!isTold && path !== '') yield* this.#describe(path, upper!, 'modified', timeOf);
        isTold = true;
        yield each;
      }
      for (const side of sides) side?.layer.forget(side.node, 1);
    }
  }

  #names(upper: Side | undefined, lower: Side | undefined): string[] {
    const names = new Set<string>();
    for (const side of this.#whole ? [upper, lower] : [upper]) {
      if (!side) continue;
      const listed = side.layer.readdir(side.node, (name) => void names.add(name.toString('latin1')));
      checked(listed, 'readdir', 'list a directory of the writable layer');
    }
    // latin1: the order of UTF-16 units is the order of bytes.
    return [...names].sort((a, b) => (a < b ? -1 : 1));
  }

  #lookup(layer: LowerLayer, directory: Side | undefined, name: string): Side | undefined {
    if (!directory) return undefined;
    const node = layer.lookup(directory.node, Name.fromKey(name));
    return node > 0 ? this.#attributesOf(layer, node) : undefined;
  }

  #attributesOf(layer: LowerLayer, node: number): Side {
    const attributes = new Attributes();
    checked(layer.getattr(node, attributes), 'stat', 'read a file of the writable layer');
    if (this.#owner && layer === this.#lower) attributes.uid = attributes.gid = 0;
    return { layer, node, attributes };
  }

  #isWhiteout({ node, attributes: { mode, rdev, size } }: Side): boolean {
    const type = mode & FileType.mask;
    if (type === FileType.character) return rdev === 0;
    return type === FileType.file && size === 0 && this.#upper.isMarkedWhiteout(node);
  }

  /** New, empty, and where the runtime mounts something; a directory may have such in it. */
  #isMountPoint(path: string, upper: Side): boolean {
    if (!this.#mountPoints.has(path)) return false;
    const { mode, size } = upper.attributes;
    if ((mode & FileType.mask) === FileType.file) return size === 0;
    if (!isDirectory(upper)) return false;
    return this.#names(upper, undefined).every((name) => {
      const child = this.#lookup(this.#upper, upper, name);
      if (!child) return true;
      const is = this.#isMountPoint(join(path, name), child);
      this.#upper.forget(child.node, 1);
      return is;
    });
  }

  #isSame(upper: Side, lower: Side, anyTime: boolean): boolean {
    const [a, b] = [upper.attributes, lower.attributes];
    const isTimeSame = anyTime || (a.mtime === b.mtime && a.mtimeNsec === b.mtimeNsec);
    if (!isTimeSame || a.mode !== b.mode || a.uid !== b.uid || a.gid !== b.gid) return false;
    const [ours, theirs] = [xattrsOf(upper), xattrsOf(lower)];
    return (
      ours.length === theirs.length &&
      ours.every(({ name, value }) => theirs.some((other) => other.name.equals(name) && other.value.equals(value)))
    );
  }

  *#describe(path: string, side: Side, change: LayerExport['change'], timeOf = side): Generator<LayerExport> {
    const { layer, node, attributes } = side;
    const { mode, nlink, uid, gid, rdev, ino } = attributes;
    const type = types.get(mode & FileType.mask);
    if (!type) return;
    const target = type !== 'directory' && nlink > 1 ? this.#firstName(layer, ino, path) : undefined;
    const contentId = type === 'file' && !target ? layer.contentId(node) : undefined;
    const size = type === 'file' && !target ? attributes.size : 0;
    const entry = layerEntry({
      ...{ path: bytes(path), mode: mode & 0o7777, uid, gid, size },
      // A link tells the attributes of its file again: some unpackers set them.
      type: target ? 'hardlink' : type,
      mtime: timeOf.attributes.mtime,
      mtimeNsec: timeOf.attributes.mtimeNsec,
      rdev: type === 'character' || type === 'block' ? rdev : 0,
      xattrs: xattrsOf(side),
      ...(target && { target }),
      ...(type === 'symlink' && !target && { target: targetOf(side) }),
      ...(contentId && { contentId }),
    });
    const action = `open ${JSON.stringify(path)} of the writable layer`;
    yield { change, entry, open: size > 0 ? () => checked(layer.open(node), 'open', action, path) : undefined };
  }

  /** The path that a file with several names was told under; undefined where this is its first. */
  #firstName(layer: LowerLayer, ino: number, path: string): Buffer | undefined {
    const key = `${layer === this.#upper ? 'upper' : 'lower'} ${ino}`;
    const first = this.#firstNames.get(key);
    if (!first) this.#firstNames.set(key, bytes(path));
    return first;
  }
}

function isDirectory({ attributes }: Side): boolean {
  return (attributes.mode & FileType.mask) === FileType.directory;
}

function xattrsOf({ layer, node }: Side): Xattr[] {
  const names = layer.listxattr(node);
  if (typeof names === 'number') return [];
  const xattrs: Xattr[] = [];
  for (const name of names.sort((a, b) => a.compare(b))) {
    const value = layer.getxattr(node, new Name(name));
    if (typeof value !== 'number') xattrs.push({ name, value });
  }
  return xattrs;
}

function targetOf({ layer, node }: Side): Buffer {
  const target = layer.readlink(node);
  return typeof target === 'number' ? (checked(target, 'readlink', 'read a symbolic link') as never) : target;
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}

function bytes(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}
