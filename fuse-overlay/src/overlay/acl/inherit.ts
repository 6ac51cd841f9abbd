import { FileType } from '../../server/attributes.ts';
import { readXattr } from '../operations/xattr.ts';
import type { Union } from '../union.ts';
import type { Change } from '../upper/change.ts';
import type { Inode } from '../upper/inode.ts';
import { accessAclName, defaultAclName, inheritedAcl, parseAcl } from './acl.ts';

interface Inherited {
  readonly mode: number;
  readonly changes: Change[];
}

/** Mode and ACLs of an inode that is born in `directory`: by its default ACL, or else by the umask. */
export function inheritAcl(
  union: Union,
  directory: Inode,
  ino: number,
  birth: { mode: number; umask: number },
): Inherited {
  const type = birth.mode & FileType.mask;
  if (type === FileType.symlink) return { mode: birth.mode, changes: [] };
  if (directory.defaultAcl === undefined) {
    const value = readXattr(union, directory.ino, defaultAclName);
    directory.defaultAcl = typeof value === 'number' ? null : value;
  }
  const entries = directory.defaultAcl && parseAcl(directory.defaultAcl);
  if (!entries) return { mode: birth.mode & ~birth.umask, changes: [] };
  const { mode, acl } = inheritedAcl(entries, birth.mode);
  const changes: Change[] = [];
  if (acl) changes.push({ kind: 'xattr', ino, name: accessAclName, value: acl });
  if (type === FileType.directory)
    changes.push({ kind: 'xattr', ino, name: defaultAclName, value: directory.defaultAcl! });
  return { mode, changes };
}
