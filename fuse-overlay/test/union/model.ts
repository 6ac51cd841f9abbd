import { constants } from 'node:os';
import { FileType } from '../../src/index.ts';
import type { MemoryLayer, MemoryNode } from './memory-layer.ts';

const { ENOENT, EEXIST, ENOTEMPTY, EISDIR, ENOTDIR, EPERM, ENODATA } = { ...constants.errno, ENODATA: 61 };

/** A file of the model: what a POSIX file system has, in plain objects. */
export interface ModelNode {
  readonly ino: number;
  mode: number;
  uid: number;
  gid: number;
  rdev: number;
  nlink: number;
  mtime: number | undefined;
  content: Buffer;
  target: string;
  xattrs: Map<string, Buffer>;
  children: Map<string, ModelNode>;
}

/** The simplest thing that behaves as a file system should. Numbers of new files are taken from the file system under test. */
export class Model {
  readonly root: ModelNode;

  constructor(layer: MemoryLayer) {
    const copies = new Map<MemoryNode, ModelNode>();
    function copy(node: MemoryNode): ModelNode {
      const known = copies.get(node);
      if (known) return known;
      const { ino, mode, uid, gid, rdev, nlink, mtime, content, target } = node;
      const made: ModelNode = {
        ...{ ino, mode, uid, gid, rdev, nlink, mtime, content },
        target: target.toString('latin1'),
        xattrs: new Map(node.xattrs),
        children: new Map(),
      };
      copies.set(node, made);
      for (const [name, child] of node.children) made.children.set(name, copy(child));
      return made;
    }
    this.root = copy(layer.rootNode);
  }

  create(
    parent: ModelNode,
    name: string | undefined,
    mode: number,
    ino: number,
    fields: Partial<ModelNode> = {},
  ): number | ModelNode {
    if (name !== undefined && parent.children.has(name)) return -EEXIST;
    const isDirectory = (mode & FileType.mask) === FileType.directory;
    const node: ModelNode = {
      ...{ ino, mode, uid: 0, gid: 0, rdev: 0, nlink: name === undefined ? 0 : isDirectory ? 2 : 1, mtime: undefined },
      ...{ content: Buffer.alloc(0), target: '', xattrs: new Map(), children: new Map() },
      ...fields,
    };
    if (name === undefined) return node;
    parent.children.set(name, node);
    parent.mtime = undefined;
    if (isDirectory) parent.nlink++;
    return node;
  }

  link(node: ModelNode, parent: ModelNode, name: string): number {
    if (parent.children.has(name)) return -EEXIST;
    if (isDirectory(node)) return -EPERM;
    parent.children.set(name, node);
    node.nlink++;
    parent.mtime = undefined;
    return 0;
  }

  unlink(parent: ModelNode, name: string): number {
    const node = parent.children.get(name);
    if (!node) return -ENOENT;
    if (isDirectory(node)) return -EISDIR;
    parent.children.delete(name);
    parent.mtime = undefined;
    node.nlink--;
    return 0;
  }

  rmdir(parent: ModelNode, name: string): number {
    const node = parent.children.get(name);
    if (!node) return -ENOENT;
    if (!isDirectory(node)) return -ENOTDIR;
    if (node.children.size > 0) return -ENOTEMPTY;
    parent.children.delete(name);
    parent.mtime = undefined;
    parent.nlink--;
    node.nlink = 0;
    return 0;
  }

  rename(parent: ModelNode, name: string, newParent: ModelNode, newName: string, flags: number): number {
    const source = parent.children.get(name);
    const target = newParent.children.get(newName);
    if (!source) return -ENOENT;
    if (target && flags === 1) return -EEXIST;
    if (!target && flags === 2) return -ENOENT;
    if (source === target) return 0;
    if (target && flags !== 2) {
      if (isDirectory(target) && !isDirectory(source)) return -EISDIR;
      if (!isDirectory(target) && isDirectory(source)) return -ENOTDIR;
      if (target.children.size > 0) return -ENOTEMPTY;
      target.nlink = isDirectory(target) ? 0 : target.nlink - 1;
      if (isDirectory(target)) newParent.nlink--;
    }
    parent.children.delete(name);
    newParent.children.set(newName, source);
    if (isDirectory(source)) {
      parent.nlink--;
      newParent.nlink++;
    }
    if (target && flags === 2) {
      parent.children.set(name, target);
      if (isDirectory(target)) {
        newParent.nlink--;
        parent.nlink++;
      }
    }
    parent.mtime = newParent.mtime = undefined;
    return 0;
  }

  write(node: ModelNode, offset: number, data: Buffer): number {
    const size = Math.max(node.content.length, offset + data.length);
    const content = Buffer.alloc(size);
    node.content.copy(content);
    data.copy(content, offset);
    node.content = content;
    node.mtime = undefined;
    return data.length;
  }

  truncate(node: ModelNode, size: number): number {
    const content = Buffer.alloc(size);
    node.content.copy(content);
    node.content = content;
    node.mtime = undefined;
    return 0;
  }

  removexattr(node: ModelNode, name: string): number {
    return node.xattrs.delete(name) ? 0 : -ENODATA;
  }
}

export function isDirectory(node: ModelNode): boolean {
  return (node.mode & FileType.mask) === FileType.directory;
}

export function isFile(node: ModelNode): boolean {
  return (node.mode & FileType.mask) === FileType.file;
}
