/**
 * The tree that grows while layers are merged, in memory.
 *
 * A path whose parent is a symlink to a directory goes to where the link leads, as when the layer is unpacked over the layers
 * below (`lib/x` where a lower layer has `lib -> usr/lib`). Links are resolved within the tree, whose root is `/`; nothing of
 * the host is ever looked at.
 */
import { FileType } from '../server/attributes.ts';
import type { LayerEntry, Xattr } from './layer.ts';

export interface TreeNode {
  mode: number;
  uid: number;
  gid: number;
  rdev: number;
  size: number;
  mtime: number;
  mtimeNsec: number;
  xattrs: readonly Xattr[];
  target: Buffer | undefined;
  /** Of a file that is not empty, as a latin1 string. */
  contentId: string | undefined;
  /** Names of a directory, by latin1 key. */
  children: Map<string, TreeNode> | undefined;
  /** Position in the index, once it is numbered. */
  index: number;
  links: number;
}

const typeBits: Partial<Record<LayerEntry['type'], number>> = {
  file: FileType.file,
  directory: FileType.directory,
  symlink: FileType.symlink,
  fifo: FileType.fifo,
  socket: FileType.socket,
  character: FileType.character,
  block: FileType.block,
};

const slash = 0x2f;

/** As the kernel's MAXSYMLINKS. */
const linkLimit = 40;

function newDirectory(): TreeNode {
  return {
    mode: FileType.directory | 0o755,
    uid: 0,
    gid: 0,
    rdev: 0,
    size: 0,
    mtime: 0,
    mtimeNsec: 0,
    xattrs: [],
    target: undefined,
    contentId: undefined,
    children: new Map(),
    index: -1,
    links: 0,
  };
}

export class MergedTree {
  readonly root: TreeNode = newDirectory();
  /** Where the entry before this one went: entries of one directory come one after the other. */
  #recent: { path: string; children: Map<string, TreeNode> } | undefined;
  /** Lays the entries of a layer over the tree. Returns the paths of hard links whose target does not exist. */
  apply(entries: readonly LayerEntry[]): Buffer[] {
    const dangling: Buffer[] = [];
    this.#recent = undefined;
    // Whiteouts hide what lower layers have, wherever in the tar they stand (image-spec, layer.md).
    for (const { type, path } of entries) {
      if (type === 'whiteout') this.#remove(path);
      else if (type === 'opaque') this.#find(path)?.children?.clear();
    }
    for (const entry of entries) {
      if (entry.type === 'whiteout' || entry.type === 'opaque') continue;
      if (entry.type === 'hardlink') {
        if (!this.#link(entry)) dangling.push(entry.path);
      } else this.#add(entry);
    }
    return dangling;
  }

  #add(entry: LayerEntry): void {
    const { type } = entry;
    const isFile = type === 'file';
    const attributes = {
      mode: (typeBits[type] ?? 0) | (entry.mode & 0o7777),
      uid: entry.uid,
      gid: entry.gid,
      rdev: type === 'character' || type === 'block' ? entry.rdev : 0,
      size: isFile ? entry.size : type === 'symlink' ? (entry.target?.length ?? 0) : 0,
      mtime: entry.mtime,
      mtimeNsec: entry.mtimeNsec,
      xattrs: presentable(entry.xattrs),
    };
    if (entry.path.length === 0) {
      if (type === 'directory') Object.assign(this.root, attributes);
      return;
    }
    const [parent, name] = this.#place(entry.path);
    const existing = parent.get(name);
    if (type === 'directory' && existing?.children) {
      Object.assign(existing, attributes);
      return;
    }
    if (existing) this.#recent = undefined;
    parent.set(name, {
      ...attributes,
      target: type === 'symlink' ? copy(entry.target ?? Buffer.alloc(0)) : undefined,
      contentId: isFile && entry.size > 0 ? entry.contentId?.toString('latin1') : undefined,
      children: type === 'directory' ? new Map<string, TreeNode>() : undefined,
      index: -1,
      links: 0,
    });
  }

  #link(entry: LayerEntry): boolean {
    const node = entry.target && this.#find(entry.target);
    if (!node || node.children || entry.path.length === 0) return false;
    const [parent, name] = this.#place(entry.path);
    if (parent.has(name)) this.#recent = undefined;
    parent.set(name, node);
    return true;
  }

  #remove(path: Buffer): void {
    const cut = path.lastIndexOf(slash);
    const parent = this.#find(path.subarray(0, Math.max(cut, 0)));
    parent?.children?.delete(path.toString('latin1', cut + 1));
  }

  /** The children that a path's last name belongs to; makes directories that no entry stated. */
  #place(path: Buffer): [Map<string, TreeNode>, string] {
    const cut = path.lastIndexOf(slash);
    const parent = path.toString('latin1', 0, Math.max(cut, 0));
    if (parent !== this.#recent?.path) this.#recent = { path: parent, children: this.#makeDirectories(split(parent)) };
    return [this.#recent.children, path.toString('latin1', cut + 1)];
  }

  #makeDirectories(names: readonly string[]): Map<string, TreeNode> {
    let trail = [this.root];
    for (const name of names) {
      const children = trail.at(-1)!.children!;
      let child = children.get(name);
      if (child?.target) {
        const led = walk(trail, child.target.toString('latin1'), { left: linkLimit });
        if (led?.at(-1)!.children) {
          trail = led;
          continue;
        }
      }
      if (!child?.children) {
        child = newDirectory();
        children.set(name, child);
      }
      trail.push(child);
    }
    return trail.at(-1)!.children!;
  }

  /** The node of a path; follows links in all but its last name. */
  #find(path: Buffer): TreeNode | undefined {
    if (path.length === 0) return this.root;
    const cut = path.lastIndexOf(slash);
    const trail = walk([this.root], path.toString('latin1', 0, Math.max(cut, 0)), { left: linkLimit });
    return trail?.at(-1)!.children?.get(path.toString('latin1', cut + 1));
  }
}

/** Where a path leads from the directory at the end of `start`, all links followed: every node on the way from the root. */
function walk(start: readonly TreeNode[], path: string, links: { left: number }): TreeNode[] | undefined {
  let trail = path.startsWith('/') ? start.slice(0, 1) : start.slice();
  for (const name of split(path)) {
    if (name === '.') continue;
    if (name === '..') {
      if (trail.length > 1) trail.pop();
      continue;
    }
    const child = trail.at(-1)!.children?.get(name);
    if (child === undefined) return undefined;
    if (child.target) {
      if (links.left-- <= 0) return undefined;
      const led = walk(trail, child.target.toString('latin1'), links);
      if (led === undefined) return undefined;
      trail = led;
    } else trail.push(child);
  }
  return trail;
}

function split(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}

const none: readonly Xattr[] = [];

/** overlayfs' own attributes would act on an overlay that has the tree as its lower directory. */
function presentable(xattrs: readonly Xattr[]): readonly Xattr[] {
  if (xattrs.length === 0) return none;
  return xattrs
    .filter(({ name }) => !/^(?:user|trusted)\.overlay\./.test(name.toString('latin1')))
    .map(({ name, value }) => ({ name: copy(name), value: copy(value) }));
}

/** The list that entries come from is a large buffer, which a slice would keep alive. */
function copy(bytes: Buffer): Buffer {
  return Buffer.from(bytes);
}
