/** Extended attributes, which are metadata of ours: the backing file system need not have any. */
import { Name } from '../../server/name.ts';
import type { Bytes, Request } from '../../server/file-system.ts';
import { ENODATA, errno } from '../../sys/errors.ts';
import { accessAclName, defaultAclName, modeOfAcl, parseAcl } from '../acl/acl.ts';
import { tick } from '../clock.ts';
import type { Union } from '../union.ts';
import type { Change } from '../upper/change.ts';
import { InodeFlag, type Inode } from '../upper/inode.ts';

const XATTR_CREATE = 1;
const XATTR_REPLACE = 2;
const S_ISGID = 0o2000;

/** All attributes of one inode together, as the kernel's own file systems bound them (ext4: less; XATTR_LIST_MAX). */
const maxTotal = 64 * 1024;

export const capabilityName = 'security.capability';

/** The kernel leaves names of any namespace to a FUSE file system; of `system.` there are the two ACLs (xattr(7)). */
function isKnown(key: string): boolean {
  return /^(user|trusted|security)\../s.test(key) || key === accessAclName || key === defaultAclName;
}

function hasOwn(union: Union, inode: Inode): boolean {
  return !union.isLower(inode.ino) || (inode.flags & InodeFlag.ownXattrs) !== 0;
}

/** The value, or a negative errno. */
export function readXattr(union: Union, ino: number, name: string): Buffer | number {
  const inode = union.store.get(ino);
  if (inode && hasOwn(union, inode)) return inode.xattrs?.get(name) ?? -ENODATA;
  return lowerXattr(union, ino, Name.fromKey(name));
}

function lowerXattr(union: Union, ino: number, name: Name): Buffer | number {
  const node = union.isLower(ino) ? union.lower.node(ino) : -errno.ESTALE;
  return node < 0 ? node : union.lower.layer.getxattr(node, name);
}

function lowerXattrs(union: Union, ino: number): [string, Buffer][] {
  const { layer } = union.lower;
  const node = union.lower.node(ino);
  const names = node < 0 ? node : layer.listxattr(node);
  if (typeof names === 'number') return [];
  const values: [string, Buffer][] = [];
  for (const name of names) {
    const value = layer.getxattr(node, new Name(name));
    if (typeof value !== 'number') values.push([name.toString('latin1'), value]);
  }
  return values;
}

export function xattrsOf(union: Union, ino: number): [string, Buffer][] {
  const inode = union.store.get(ino);
  return inode && hasOwn(union, inode) ? [...(inode.xattrs ?? [])] : lowerXattrs(union, ino);
}

/** Changes that make a lower file's attributes the inode's own; `image` is part of the same commit. */
function adopt(union: Union, inode: Inode, image: { flags: number }): Change[] {
  if (hasOwn(union, inode)) return [];
  image.flags |= InodeFlag.ownXattrs;
  return lowerXattrs(union, inode.ino).map(([name, value]) => ({ kind: 'xattr', ino: inode.ino, name, value }));
}

export function getxattr(union: Union, ino: number, name: Name, out: Bytes): number {
  const inode = union.store.get(ino);
  const value =
    inode && hasOwn(union, inode) ? (inode.xattrs?.get(name.key()) ?? -ENODATA) : lowerXattr(union, ino, name);
  if (typeof value === 'number') return value;
  if (value.length <= out.length) value.copy(out.buffer, out.start);
  return value.length;
}

export function listxattr(union: Union, ino: number, out: Bytes): number {
  const names = xattrsOf(union, ino).map(([name]) => name);
  const size = names.reduce((sum, name) => sum + name.length + 1, 0);
  if (size > out.length) return size;
  let at = out.start;
  for (const name of names) {
    at += out.buffer.write(name, at, 'latin1');
    out.buffer[at++] = 0;
  }
  return size;
}

export function setxattr(
  union: Union,
  request: Request,
  ino: number,
  name: Name,
  value: Buffer,
  flags: number,
  killSgid: boolean,
): number {
  if (union.isDone(request)) return 0;
  const key = name.key();
  if (!isKnown(key)) return -errno.EOPNOTSUPP;
  const existing = readXattr(union, ino, key);
  if (flags & XATTR_CREATE && typeof existing !== 'number') return -errno.EEXIST;
  if (flags & XATTR_REPLACE && typeof existing === 'number') return -ENODATA;
  const taken = xattrsOf(union, ino).reduce(
    (sum, [each, bytes]) => sum + (each === key ? 0 : each.length + bytes.length),
    0,
  );
  if (taken + key.length + value.length > maxTotal) return -errno.ENOSPC;
  const inode = union.copyUp(ino);
  const image = union.store.image(inode);
  const changes = adopt(union, inode, image);
  let stored: Buffer | undefined = value;
  if (key === accessAclName) {
    const entries = parseAcl(value);
    if (!entries) return -errno.EINVAL;
    const { mode, acl } = modeOfAcl(entries, image.mode);
    image.mode = killSgid ? mode & ~S_ISGID : mode;
    stored = acl;
  }
  changes.push(
    stored ? { kind: 'xattr', ino, name: key, value: Buffer.from(stored) } : { kind: 'unxattr', ino, name: key },
  );
  changeTime(image);
  union.store.commit([image, ...changes, union.done(request)]);
  if (key === defaultAclName) inode.defaultAcl = undefined;
  return 0;
}

export function removexattr(union: Union, request: Request, ino: number, name: Name): number {
  if (union.isDone(request)) return 0;
  const key = name.key();
  const existing = readXattr(union, ino, key);
  if (typeof existing === 'number') return existing;
  const inode = union.copyUp(ino);
  const image = union.store.image(inode);
  const changes = adopt(union, inode, image);
  changeTime(image);
  union.store.commit([image, ...changes, { kind: 'unxattr', ino, name: key }, union.done(request)]);
  if (key === defaultAclName) inode.defaultAcl = undefined;
  return 0;
}

/** For a commit that changes contents or owner: the file's capabilities go, as the kernel has it for every file system. */
export function dropCapability(union: Union, inode: Inode, image: { flags: number }): Change[] {
  if (typeof readXattr(union, inode.ino, capabilityName) === 'number') return [];
  return [...adopt(union, inode, image), { kind: 'unxattr', ino: inode.ino, name: capabilityName }];
}

/** For a chmod: an access ACL follows the mode. */
export function rewriteXattr(
  union: Union,
  inode: Inode,
  image: { flags: number },
  name: string,
  value: Buffer,
): Change[] {
  return [...adopt(union, inode, image), { kind: 'xattr', ino: inode.ino, name, value }];
}

function changeTime(image: { ctime: number; ctimeNsec: number }): void {
  const { sec, nsec } = tick();
  image.ctime = sec;
  image.ctimeNsec = nsec;
}
