/**
 * POSIX ACLs as the kernel passes them (include/uapi/linux/posix_acl_xattr.h), and what they have to do with the mode.
 * The kernel checks access by them; keeping mode and ACL in step is left to the file system (fs/fuse/acl.c).
 */

export const accessAclName = 'system.posix_acl_access';
export const defaultAclName = 'system.posix_acl_default';

/** `struct posix_acl_xattr_header` { u32 version }, then entries { u16 tag, u16 perm, u32 id }. */
const headerSize = 4;
const entrySize = 8;
const version = 2;

const tags = { userObject: 0x01, user: 0x02, groupObject: 0x04, group: 0x08, mask: 0x10, other: 0x20 } as const;

interface AclEntry {
  readonly tag: number;
  perm: number;
  readonly id: number;
}

/** Undefined where the value is none. */
export function parseAcl(value: Buffer): AclEntry[] | undefined {
  if (value.length < headerSize || (value.length - headerSize) % entrySize !== 0) return undefined;
  if (value.readUInt32LE(0) !== version) return undefined;
  const entries: AclEntry[] = [];
  for (let at = headerSize; at < value.length; at += entrySize) {
    entries.push({ tag: value.readUInt16LE(at), perm: value.readUInt16LE(at + 2), id: value.readUInt32LE(at + 4) });
  }
  return entries;
}

function encodeAcl(entries: readonly AclEntry[]): Buffer {
  const value = Buffer.alloc(headerSize + entries.length * entrySize);
  value.writeUInt32LE(version, 0);
  entries.forEach((entry, index) => {
    const at = headerSize + index * entrySize;
    value.writeUInt16LE(entry.tag, at);
    value.writeUInt16LE(entry.perm, at + 2);
    value.writeUInt32LE(entry.id, at + 4);
  });
  return value;
}

/** Says no more than the nine permission bits do. */
function isMinimal(entries: readonly AclEntry[]): boolean {
  return entries.every(({ tag }) => tag === tags.userObject || tag === tags.groupObject || tag === tags.other);
}

/** The entries that stand for the three classes of the mode: the mask, where there is one, for the group. */
function classEntries(entries: readonly AclEntry[]): { entry: AclEntry; shift: number }[] {
  const hasMask = entries.some(({ tag }) => tag === tags.mask);
  const shifts = new Map<number, number>([
    [tags.userObject, 6],
    [hasMask ? tags.mask : tags.groupObject, 3],
    [tags.other, 0],
  ]);
  return entries.flatMap((entry) => {
    const shift = shifts.get(entry.tag);
    return shift === undefined ? [] : [{ entry, shift }];
  });
}

export interface ModeAndAcl {
  readonly mode: number;
  /** Undefined where the mode says it all. */
  readonly acl: Buffer | undefined;
}

function result(mode: number, entries: readonly AclEntry[]): ModeAndAcl {
  return { mode, acl: isMinimal(entries) ? undefined : encodeAcl(entries) };
}

/** What a file made with `mode` in a directory with this default ACL gets (posix_acl_create_masq). */
export function inheritedAcl(entries: AclEntry[], mode: number): ModeAndAcl {
  let permissions = mode;
  for (const { entry, shift } of classEntries(entries)) {
    entry.perm &= (mode >> shift) & 7;
    permissions = (permissions & ~(7 << shift)) | (entry.perm << shift);
  }
  return result(permissions, entries);
}

/** The access ACL after chmod (posix_acl_chmod). */
export function chmodAcl(entries: AclEntry[], mode: number): Buffer {
  for (const { entry, shift } of classEntries(entries)) entry.perm = (mode >> shift) & 7;
  return encodeAcl(entries);
}

/** The mode that goes with an access ACL (posix_acl_update_mode). */
export function modeOfAcl(entries: AclEntry[], mode: number): ModeAndAcl {
  let permissions = mode;
  for (const { entry, shift } of classEntries(entries)) {
    permissions = (permissions & ~(7 << shift)) | ((entry.perm & 7) << shift);
  }
  return result(permissions, entries);
}
