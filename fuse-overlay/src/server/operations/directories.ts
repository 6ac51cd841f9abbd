/** Requests about open directories. */
import { structs } from '../../protocol/structs.ts';
import { errno } from '../../sys/errors.ts';
import { maxPayload, type Exchange } from '../exchange.ts';
import type { FileSystem } from '../file-system.ts';
import { isDataOnly, replyOpened } from './files.ts';

const { outHeader, openIn, readIn, releaseIn, fsyncIn } = structs;

export function opendir(fs: FileSystem, x: Exchange): number {
  if (!fs.opendir) return -errno.ENOSYS;
  x.opened.flags = 0;
  return replyOpened(x, fs.opendir(x, x.nodeId, x.u32(openIn.at.flags), x.opened));
}

export function readdir(fs: FileSystem, x: Exchange): number {
  return list(fs, x, false);
}

export function readdirplus(fs: FileSystem, x: Exchange): number {
  return list(fs, x, true);
}

function list(fs: FileSystem, x: Exchange, plus: boolean): number {
  if (!fs.readdir) return -errno.ENOSYS;
  const { fh, offset, size } = readIn.at;
  x.directory.begin(plus, outHeader.size, Math.min(x.u32(size), maxPayload));
  const result = fs.readdir(x, x.nodeId, x.u64(fh), x.u64(offset), x.directory);
  return result < 0 ? result : x.directory.length;
}

export function releasedir(fs: FileSystem, x: Exchange): number {
  if (!fs.releasedir) return 0;
  return fs.releasedir(x, x.nodeId, x.u64(releaseIn.at.fh), x.u32(releaseIn.at.flags));
}

export function fsyncdir(fs: FileSystem, x: Exchange): number {
  if (!fs.fsyncdir) return -errno.ENOSYS;
  return fs.fsyncdir(x, x.nodeId, x.u64(fsyncIn.at.fh), isDataOnly(x));
}
