/**
 * A tree of files to copy from or to look into: an image's merged tree, or a folder of the host. Paths are strings of one
 * character per byte (latin1), without a slash in front; the root is ''. Nothing outside of the tree is ever reached: links
 * are followed with its root as a wall.
 */
import { Attributes, FileType, Name, type LowerLayer, type Xattr } from 'fuse-overlay';
import { describeErrno } from '../../sys/system-error.ts';
import type { IgnoreRules, Matched } from '../context/ignore-rules.ts';

export type NodeKind = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character' | 'block';

export interface TreeNode {
  readonly id: number;
  readonly kind: NodeKind;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly size: number;
  readonly mtime: number;
  readonly mtimeNsec: number;
  /** Of files with several names: the same for all of them. */
  readonly inode: string | undefined;
}

const KINDS = new Map<number, NodeKind>([
  [FileType.file, 'file'],
  [FileType.directory, 'directory'],
  [FileType.symlink, 'symlink'],
  [FileType.fifo, 'fifo'],
  [FileType.socket, 'socket'],
  [FileType.character, 'character'],
  [FileType.block, 'block'],
]);

/** As the kernel's: more links than this on the way are a loop (path_resolution(7)). */
const MAX_LINKS = 40;

export interface TreeViewOptions {
  /** What is left out. */
  readonly ignore?: IgnoreRules;
  /** Shows every file as root's: a build context has no owners. */
  readonly rootOwned?: boolean;
}

export class TreeView {
  readonly #layer: LowerLayer;
  readonly #options: TreeViewOptions;
  readonly #attributes = new Attributes();

  constructor(layer: LowerLayer, options: TreeViewOptions = {}) {
    this.#layer = layer;
    this.#options = options;
  }

  get root(): TreeNode {
    return this.#stat(this.#layer.root)!;
  }

  /** A name in a directory; undefined where there is none, or it is ignored and nothing below can be otherwise. */
  child(directory: TreeNode, path: string, name: string): TreeNode | undefined {
    const node = this.#layer.lookup(directory.id, Name.fromKey(name));
    const found = node > 0 ? this.#stat(node) : undefined;
    if (found === undefined) return undefined;
    const { ignore } = this.#options;
    if (ignore === undefined || ignore.isEmpty) return found;
    const whole = text(join(path, name));
    if (!ignore.ignores(whole)) return found;
    return found.kind === 'directory' && ignore.mayIncludeBelow(whole) ? found : undefined;
  }

  /** The names in a directory in the order of their bytes, what is ignored left out. */
  names(directory: TreeNode, path: string): string[] {
    const { ignore } = this.#options;
    const names: string[] = [];
    const above: Matched = ignore === undefined || path === '' ? [] : matchedAt(ignore, path);
    this.#layer.readdir(directory.id, (bytes, type) => {
      const name = bytes.toString('latin1');
      if (ignore !== undefined && !ignore.isEmpty) {
        const whole = text(join(path, name));
        const isFolder = (type & FileType.mask) === FileType.directory;
        if (ignore.match(whole, above).ignored && !(isFolder && ignore.mayIncludeBelow(whole))) return;
      }
      names.push(name);
    });
    return names.sort((a, b) => (a < b ? -1 : 1));
  }

  /** Whether the path itself is taken out, and is here only for what is below it. */
  isIgnored(path: string): boolean {
    const { ignore } = this.#options;
    return ignore !== undefined && path !== '' && ignore.ignores(text(path));
  }

  target(node: TreeNode): string {
    const target = this.#layer.readlink(node.id);
    return typeof target === 'number' ? '' : target.toString('latin1');
  }

  xattrs(node: TreeNode): Xattr[] {
    const names = this.#layer.listxattr(node.id);
    if (typeof names === 'number') return [];
    return names
      .sort((a, b) => a.compare(b))
      .flatMap((name) => {
        const value = this.#layer.getxattr(node.id, new Name(name));
        return typeof value === 'number' ? [] : [{ name, value }];
      });
  }

  /** sha256 of a file where the tree knows it. */
  contentId(node: TreeNode): Buffer | undefined {
    return this.#layer.contentId(node.id);
  }

  /** A descriptor of a file's content, which the caller closes. `path`: for the message of an error. */
  open(node: TreeNode, path: string): number {
    const fd = this.#layer.open(node.id);
    if (fd >= 0) return fd;
    const [code, reason] = describeErrno(-fd);
    throw Object.assign(new Error(`Cannot read /${text(path)}: ${reason} (${code})`), { code, errno: fd });
  }

  /**
   * What a path leads to, all links on the way followed. `path` of the result has no links in it. Undefined where there
   * is nothing.
   */
  resolve(path: string): { path: string; node: TreeNode } | undefined {
    const found = this.follow(path);
    return found.missing.length === 0 ? { path: found.path, node: found.node } : undefined;
  }

  /** The same, as far as it leads: the rest of the names are what does not exist. */
  follow(path: string): { path: string; node: TreeNode; missing: string[] } {
    const waiting = path.split('/').reverse();
    const above: { path: string; node: TreeNode }[] = [{ path: '', node: this.root }];
    const missing: string[] = [];
    for (let links = 0; waiting.length > 0;) {
      const name = waiting.pop()!;
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (missing.length > 0) missing.pop();
        else if (above.length > 1) above.pop();
        continue;
      }
      const here = above.at(-1)!;
      const node =
        missing.length === 0 && here.node.kind === 'directory' ? this.child(here.node, here.path, name) : undefined;
      if (node === undefined) {
        missing.push(name);
      } else if (node.kind !== 'symlink' || ++links > MAX_LINKS) {
        above.push({ path: join(here.path, name), node });
      } else {
        const target = this.target(node);
        if (target.startsWith('/')) above.length = 1;
        waiting.push(...target.split('/').reverse());
      }
    }
    return { ...above.at(-1)!, missing };
  }

  close(): void {
    this.#layer.close();
  }

  #stat(id: number): TreeNode | undefined {
    const attributes = this.#attributes;
    if (this.#layer.getattr(id, attributes) < 0) return undefined;
    const { mode, uid, gid, rdev, size, mtime, mtimeNsec, nlink, ino } = attributes;
    const kind = KINDS.get(mode & FileType.mask);
    if (kind === undefined) return undefined;
    const owner = this.#options.rootOwned === true ? { uid: 0, gid: 0 } : { uid, gid };
    const inode = nlink > 1 && kind !== 'directory' ? `${this.#layer.identity}:${ino}` : undefined;
    return { id, kind, mode: mode & 0o7777, ...owner, rdev, size, mtime, mtimeNsec, inode };
  }
}

function matchedAt(ignore: IgnoreRules, path: string): Matched {
  let matched: Matched = [];
  const names = path.split('/');
  for (let depth = 1; depth <= names.length; depth++) {
    matched = ignore.match(text(names.slice(0, depth).join('/')), matched).matched;
  }
  return matched;
}

export function join(path: string, name: string): string {
  return path === '' ? name : name === '' ? path : `${path}/${name}`;
}

/** Bytes as one character each -> what people read, and patterns match. */
export function text(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

/** The other way. */
export function byteString(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
