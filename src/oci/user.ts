import { InvalidInput } from './invalid-input.ts';

/** Who a container's process runs as, by the container's own passwd(5) and group(5). */
export interface ResolvedUser {
  uid: number;
  gid: number;
  /** `gid` and the user's other groups, as initgroups(3) would set them. */
  additionalGids: number[];
  home: string;
}

/** The texts of the image's /etc/passwd and /etc/group; absent where it has none. */
export interface UserDatabase {
  passwd?: string | undefined;
  group?: string | undefined;
}

const HIGHEST_ID = 2 ** 31 - 1;

/**
 * Resolves `user[:group]` of `--user` or an image's configuration, each a name or a number; empty is root. A number
 * needs no entry. Supplementary groups come from the group file unless a group is named; `groupAdd` adds to them.
 */
export function resolveUser(spec: string, database: UserDatabase, groupAdd: readonly string[] = []): ResolvedUser {
  const [userPart = '', groupPart = ''] = spec.split(':', 2);
  const groups = parseGroups(database.group ?? '');
  const entry = findUser(userPart, database.passwd ?? '');
  const uid =
    entry?.uid ?? numericId(userPart) ?? raise(`unable to find user ${userPart}: no matching entries in passwd file`);
  const gid = groupPart === '' ? (entry?.gid ?? 0) : findGroup(groupPart, groups);
  const member = groupPart === '' && entry !== undefined;
  const supplementary = member
    ? groups.filter(({ members }) => members.includes(entry.name)).map((group) => group.gid)
    : [];
  const added = groupAdd.map((name) => findGroup(name, groups));
  return {
    uid,
    gid,
    additionalGids: [...new Set([gid, ...supplementary, ...added])],
    home: entry?.home === undefined || entry.home === '' ? '/' : entry.home,
  };
}

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

interface GroupEntry {
  name: string;
  gid: number;
  members: string[];
}

/** The first entry of that number (whatever its name) or name. */
function findUser(user: string, passwd: string): PasswdEntry | undefined {
  const wanted = user === '' ? 0 : numericId(user);
  for (const [name = '', , uid = '', gid = '', , home = ''] of records(passwd)) {
    const entry = { name, uid: Number.parseInt(uid, 10), gid: Number.parseInt(gid, 10) || 0, home };
    if (Number.isNaN(entry.uid)) continue;
    if (wanted === undefined ? name === user : entry.uid === wanted) return entry;
  }
  return user === '' ? { name: '', uid: 0, gid: 0, home: '/' } : undefined;
}

function findGroup(group: string, groups: readonly GroupEntry[]): number {
  const number = numericId(group);
  if (number !== undefined) return number;
  const found = groups.find(({ name }) => name === group);
  return found?.gid ?? raise(`unable to find group ${group}: no matching entries in group file`);
}

function parseGroups(text: string): GroupEntry[] {
  const groups: GroupEntry[] = [];
  for (const [name = '', , gid = '', members = ''] of records(text)) {
    const number = Number.parseInt(gid, 10);
    if (!Number.isNaN(number)) groups.push({ name, gid: number, members: members.split(',') });
  }
  return groups;
}

function records(text: string): string[][] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

function numericId(text: string): number | undefined {
  if (!/^\d+$/.test(text)) return undefined;
  const id = Number(text);
  return id <= HIGHEST_ID ? id : raise(`uids and gids must be in range 0-${HIGHEST_ID}`);
}

function raise(message: string): never {
  throw new InvalidInput(message);
}
