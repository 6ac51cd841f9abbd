/** An image's tree as plain files, for runtimes that are given a root file system. */
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
} from 'node:fs';
import { Attributes, FileType, type LowerLayer, Name, openImageTree } from 'fuse-overlay';
import { errorCode } from '../base/error-code.ts';
import { contentAsker } from '../state/wanted-contents.ts';
import { systemError } from '../sys/system-error.ts';

export interface RootfsOptions {
  /**
   * Give files the owners that the image says; without it they are the caller's, as are those of ids that the caller's user
   * namespace does not map.
   */
  readonly keepOwners: boolean;
}

/** What of an image could not be made, by kind. */
export interface RootfsResult {
  /** Device nodes and sockets: the runtime makes the devices that a container gets. */
  readonly leftOut: number;
}

/** Writes an image's merged tree, by its index and the content store, below `root`, an empty folder. */
export function writeRootfs(
  image: { readonly index: string; readonly files: string },
  root: string,
  options: RootfsOptions,
): RootfsResult {
  const files = openSync(image.files, 'r');
  try {
    const layer = openImageTree(image.index, files, contentAsker(image.files));
    try {
      return writeTree(layer, root, options);
    } finally {
      layer.close();
    }
  } finally {
    closeSync(files);
  }
}

/**
 * Paths are made of the layer's own names, each checked, and folders are made before what is in them: no link of the
 * image's is ever followed.
 */
function writeTree(layer: LowerLayer, root: string, options: RootfsOptions): RootfsResult {
  const written = new Map<number, Buffer>();
  let leftOut = 0;

  function writeFolder(node: number, path: Buffer): void {
    const names: Buffer[] = [];
    succeed(
      layer.readdir(node, (name) => void names.push(name)),
      path,
    );
    for (const name of names) writeEntry(node, name, path);
    // Last: neither a mode without write permission nor a new entry shall be in the way.
    finish(node, path, FileType.directory);
  }

  function writeEntry(parent: number, name: Buffer, folder: Buffer): void {
    if (name.includes(0x2f) || name.equals(Buffer.from('.')) || name.equals(Buffer.from('..'))) return;
    const path = Buffer.concat([folder, Buffer.from('/'), name]);
    const node = layer.lookup(parent, new Name(name));
    succeed(node, path);
    const known = written.get(node);
    if (known !== undefined) {
      linkSync(known, path);
      return;
    }
    const type = typeOf(node, path);
    if (type === FileType.directory) {
      mkdirSync(path, { mode: 0o700 });
      writeFolder(node, path);
      return;
    }
    if (type === FileType.symlink) symlinkSync(targetOf(node, path), path);
    else if (type === FileType.file) copyContent(node, path);
    else {
      leftOut++;
      return;
    }
    written.set(node, path);
    finish(node, path, type);
  }

  function copyContent(node: number, path: Buffer): void {
    const fd = layer.open(node);
    succeed(fd, path);
    try {
      // A clone where the file system has them, else a copy within the kernel.
      copyFileSync(`/proc/self/fd/${fd}`, path, constants.COPYFILE_FICLONE | constants.COPYFILE_EXCL);
    } finally {
      closeSync(fd);
    }
  }

  function finish(node: number, path: Buffer, type: number): void {
    const attributes = new Attributes();
    succeed(layer.getattr(node, attributes), path);
    const { uid, gid, mode, mtime, mtimeNsec } = attributes;
    const isOwned = options.keepOwners && giveTo(path, uid, gid);
    // A set-id bit of somebody who is not there must not become the caller's.
    const kept = options.keepOwners && !isOwned ? 0o1777 : 0o7777;
    if (type !== FileType.symlink) chmodSync(path, mode & kept);
    lutimesSync(path, mtime + mtimeNsec / 1e9, mtime + mtimeNsec / 1e9);
  }

  function typeOf(node: number, path: Buffer): number {
    const attributes = new Attributes();
    succeed(layer.getattr(node, attributes), path);
    return attributes.mode & 0o170000;
  }

  function targetOf(node: number, path: Buffer): Buffer {
    const target = layer.readlink(node);
    if (typeof target === 'number') throw systemError(-target, 'readlink', path.toString());
    return target;
  }

  writeFolder(layer.root, Buffer.from(root));
  return { leftOut };
}

/** False for an id that is not mapped: chown(2) says EINVAL. */
function giveTo(path: Buffer, uid: number, gid: number): boolean {
  try {
    lchownSync(path, uid, gid);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EINVAL') return false;
    throw error;
  }
}

function succeed(result: number, path: Buffer): void {
  if (result < 0) throw systemError(-result, 'read', path.toString());
}
