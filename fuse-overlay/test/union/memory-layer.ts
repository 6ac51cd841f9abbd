import { constants } from 'node:os';
import { closeSync, mkdtempSync, openSync, rmSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  FileType,
  type Attributes,
  type Bytes,
  type ListVisitor,
  type LowerLayer,
  type Name,
} from '../../src/index.ts';

const { EACCES, ENOENT, ENOTDIR, ENODATA, EINVAL } = constants.errno;

export interface MemoryNode {
  readonly ino: number;
  mode: number;
  uid: number;
  gid: number;
  rdev: number;
  nlink: number;
  mtime: number;
  content: Buffer;
  target: Buffer;
  xattrs: Map<string, Buffer>;
  children: Map<string, MemoryNode>;
}

/** A lower layer in memory, to be filled before use. Its nodes are its inode numbers, 1 the root. */
export class MemoryLayer implements LowerLayer {
  readonly root = 1;
  readonly immutable: boolean;
  readonly identity = 'memory';
  readonly nodes: MemoryNode[] = [];
  /** References given out, by node. */
  readonly references = new Map<number, number>();
  /** Directories that may not be read. */
  readonly forbidden = new Set<number>();

  constructor(immutable = true) {
    this.immutable = immutable;
    this.#make(FileType.directory | 0o755);
    this.nodes[0]!.nlink = 2;
  }

  #make(mode: number): MemoryNode {
    const node: MemoryNode = {
      ino: this.nodes.length + 1,
      mode,
      uid: 0,
      gid: 0,
      rdev: 0,
      nlink: 1,
      mtime: 1_000_000_000 + this.nodes.length,
      content: Buffer.alloc(0),
      target: Buffer.alloc(0),
      xattrs: new Map(),
      children: new Map(),
    };
    this.nodes.push(node);
    return node;
  }

  get rootNode(): MemoryNode {
    return this.nodes[0]!;
  }

  add(parent: MemoryNode, name: string, mode: number, fields: Partial<MemoryNode> = {}): MemoryNode {
    const node = this.#make(mode);
    Object.assign(node, fields);
    if ((mode & FileType.mask) === FileType.directory) {
      node.nlink = 2;
      parent.nlink++;
    }
    parent.children.set(name, node);
    return node;
  }

  link(parent: MemoryNode, name: string, node: MemoryNode): void {
    parent.children.set(name, node);
    node.nlink++;
  }

  lookup(directory: number, name: Name): number {
    if (this.forbidden.has(directory)) return -EACCES;
    const parent = this.nodes[directory - 1]!;
    if ((parent.mode & FileType.mask) !== FileType.directory) return -ENOTDIR;
    const child = parent.children.get(name.key());
    if (!child) return -ENOENT;
    this.references.set(child.ino, (this.references.get(child.ino) ?? 0) + 1);
    return child.ino;
  }

  forget(node: number, count: number): void {
    this.references.set(node, (this.references.get(node) ?? 0) - count);
  }

  getattr(node: number, out: Attributes): number {
    const { ino, mode, uid, gid, rdev, nlink, mtime, content, target } = this.nodes[node - 1]!;
    const size = content.length || target.length;
    Object.assign(out, { ino, mode, uid, gid, rdev, nlink, size, blocks: Math.ceil(size / 4096) * 8, blksize: 4096 });
    out.atime = out.mtime = out.ctime = mtime;
    out.atimeNsec = out.mtimeNsec = out.ctimeNsec = 5;
    return 0;
  }

  readdir(directory: number, visit: ListVisitor): number {
    if (this.forbidden.has(directory)) return -EACCES;
    for (const [name, child] of this.nodes[directory - 1]!.children) {
      visit(Buffer.from(name, 'latin1'), child.mode & FileType.mask, child.ino);
    }
    return 0;
  }

  readlink(node: number): Buffer | number {
    const { mode, target } = this.nodes[node - 1]!;
    return (mode & FileType.mask) === FileType.symlink ? target : -EINVAL;
  }

  getxattr(node: number, name: Name): Buffer | number {
    return this.nodes[node - 1]!.xattrs.get(name.key()) ?? -ENODATA;
  }

  listxattr(node: number): Buffer[] {
    return [...this.nodes[node - 1]!.xattrs.keys()].map((name) => Buffer.from(name, 'latin1'));
  }

  open(node: number): number {
    const dir = mkdtempSync(join(tmpdir(), 'memory-layer-'));
    const path = join(dir, 'content');
    const writer = openSync(path, 'w');
    writeSync(writer, this.nodes[node - 1]!.content);
    closeSync(writer);
    const fd = openSync(path, 'r');
    unlinkSync(path);
    rmSync(dir, { recursive: true });
    return fd;
  }

  read(node: number, offset: number, out: Bytes): number {
    return this.nodes[node - 1]!.content.copy(out.buffer, out.start, offset, offset + out.length);
  }

  contentId(): undefined {
    return undefined;
  }

  close(): void {
    // Nothing is open.
  }
}
