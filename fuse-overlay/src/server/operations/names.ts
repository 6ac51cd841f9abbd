/** Requests that look up, create, move and remove names. */
import { structs } from '../../protocol/structs.ts';
import { errno } from '../../sys/errors.ts';
import { encodeEntry } from '../encode.ts';
import type { Exchange } from '../exchange.ts';
import type { FileSystem } from '../file-system.ts';

const { outHeader, entryOut, openOut, forgetIn, forgetOne, batchForgetIn, mknodIn, mkdirIn, createIn } = structs;
const { renameIn, rename2In, linkIn } = structs;

/** PATH_MAX, without the NUL. */
const targetLimit = 4095;

function replyEntry(x: Exchange, result: number): number {
  if (result < 0) return result;
  encodeEntry(x.payload, outHeader.size, x.entry);
  return entryOut.size;
}

function replyCreated(x: Exchange, result: number): number {
  if (result < 0) return result;
  replyEntry(x, result);
  x.put64(entryOut.size + openOut.at.fh, x.opened.handle);
  x.put32(entryOut.size + openOut.at.open_flags, x.opened.flags);
  x.put32(entryOut.size + openOut.at.padding, 0);
  return entryOut.size + openOut.size;
}

export function lookup(fs: FileSystem, x: Exchange): number {
  const bad = x.takeName(x.name);
  return bad || replyEntry(x, fs.lookup(x, x.nodeId, x.name, x.entry));
}

export function forget(fs: FileSystem, x: Exchange): number {
  fs.forget?.(x.nodeId, x.u64(forgetIn.at.nlookup));
  return 0;
}

export function batchForget(fs: FileSystem, x: Exchange): number {
  if (!fs.forget) return 0;
  const fits = Math.floor((x.bodyLength - batchForgetIn.size) / forgetOne.size);
  const count = Math.min(x.u32(batchForgetIn.at.count), fits);
  for (let index = 0; index < count; index++) {
    const at = batchForgetIn.size + index * forgetOne.size;
    fs.forget(x.u64(at + forgetOne.at.nodeid), x.u64(at + forgetOne.at.nlookup));
  }
  return 0;
}

export function mknod(fs: FileSystem, x: Exchange): number {
  if (!fs.mknod) return -errno.ENOSYS;
  const bad = x.takeName(x.name);
  if (bad) return bad;
  const mode = x.u32(mknodIn.at.mode);
  const rdev = x.u32(mknodIn.at.rdev);
  return replyEntry(x, fs.mknod(x, x.nodeId, x.name, mode, rdev, x.u32(mknodIn.at.umask), x.entry));
}

export function mkdir(fs: FileSystem, x: Exchange): number {
  if (!fs.mkdir) return -errno.ENOSYS;
  const bad = x.takeName(x.name);
  if (bad) return bad;
  const mode = x.u32(mkdirIn.at.mode);
  return replyEntry(x, fs.mkdir(x, x.nodeId, x.name, mode, x.u32(mkdirIn.at.umask), x.entry));
}

export function symlink(fs: FileSystem, x: Exchange): number {
  if (!fs.symlink) return -errno.ENOSYS;
  const bad = x.takeName(x.name) || x.takeString(x.secondName, targetLimit);
  return bad || replyEntry(x, fs.symlink(x, x.nodeId, x.name, x.secondName.toBuffer(), x.entry));
}

export function link(fs: FileSystem, x: Exchange): number {
  if (!fs.link) return -errno.ENOSYS;
  const bad = x.takeName(x.name);
  return bad || replyEntry(x, fs.link(x, x.u64(linkIn.at.oldnodeid), x.nodeId, x.name, x.entry));
}

export function create(fs: FileSystem, x: Exchange): number {
  if (!fs.create) return -errno.ENOSYS;
  const bad = x.takeName(x.name);
  if (bad) return bad;
  const mode = x.u32(createIn.at.mode);
  const umask = x.u32(createIn.at.umask);
  const flags = x.u32(createIn.at.flags);
  return replyCreated(x, fs.create(x, x.nodeId, x.name, mode, umask, flags, x.entry, x.opened));
}

export function tmpfile(fs: FileSystem, x: Exchange): number {
  if (!fs.tmpfile) return -errno.ENOSYS;
  const mode = x.u32(createIn.at.mode);
  const umask = x.u32(createIn.at.umask);
  return replyCreated(x, fs.tmpfile(x, x.nodeId, mode, umask, x.u32(createIn.at.flags), x.entry, x.opened));
}

export function unlink(fs: FileSystem, x: Exchange): number {
  if (!fs.unlink) return -errno.ENOSYS;
  return x.takeName(x.name) || fs.unlink(x, x.nodeId, x.name);
}

export function rmdir(fs: FileSystem, x: Exchange): number {
  if (!fs.rmdir) return -errno.ENOSYS;
  return x.takeName(x.name) || fs.rmdir(x, x.nodeId, x.name);
}

export function rename(fs: FileSystem, x: Exchange): number {
  return renameWith(fs, x, x.u64(renameIn.at.newdir), 0);
}

export function rename2(fs: FileSystem, x: Exchange): number {
  return renameWith(fs, x, x.u64(rename2In.at.newdir), x.u32(rename2In.at.flags));
}

function renameWith(fs: FileSystem, x: Exchange, newParent: number, flags: number): number {
  if (!fs.rename) return -errno.ENOSYS;
  const bad = x.takeName(x.name) || x.takeName(x.secondName);
  return bad || fs.rename(x, x.nodeId, x.name, newParent, x.secondName, flags);
}
