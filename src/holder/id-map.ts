/** Which ids a user's containers may use: user_namespaces(7), subuid(5), newuidmap(1). */
import { readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import type { IdExtent } from '../base/id-extents.ts';

/**
 * How the user's namespace maps ids.
 * - `range`: root is the user, 1 and up are the user's subordinate ids, written by newuidmap and newgidmap.
 * - `single`: root is the user and there are no other ids.
 * - `identity`: the caller is root: every id that it has is itself.
 */
export interface IdMap {
  readonly kind: 'range' | 'single' | 'identity';
  readonly uid: readonly IdExtent[];
  readonly gid: readonly IdExtent[];
  /** Why there is no range, in words for `doctor`. */
  readonly reason?: string;
  /** The user has ranges, and something on this host keeps them from use: worth a word to whoever starts a container. */
  readonly isUnexpected?: boolean;
}

/** Lines of /etc/subuid or /etc/subgid that belong to a user, by name or number. */
export function subordinateIds(text: string, user: { name: string; id: number }): { start: number; count: number }[] {
  const ranges = [];
  for (const line of text.split('\n')) {
    const [owner, start, count, ...rest] = line.trim().split(':');
    if (rest.length > 0 || (owner !== user.name && owner !== String(user.id))) continue;
    if (!/^\d+$/.test(start ?? '') || !/^\d+$/.test(count ?? '') || count === '0') continue;
    ranges.push({ start: Number(start), count: Number(count) });
  }
  return ranges;
}

/** Root is the user itself, then come the subordinate ranges one behind the other. */
function stacked(id: number, ranges: readonly { start: number; count: number }[]): IdExtent[] {
  const extents: IdExtent[] = [{ inside: 0, outside: id, count: 1 }];
  let inside = 1;
  for (const { start, count } of ranges) {
    extents.push({ inside, outside: start, count });
    inside += count;
  }
  return extents;
}

/** Every id of a namespace as itself, from the text of /proc/self/uid_map. */
export function identityExtents(map: string): IdExtent[] {
  return map
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([inside, , count]) => ({ inside: inside!, outside: inside!, count: count! }));
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** The map for this process's user on this host. */
export function findIdMap(hasMapTools: boolean): IdMap {
  const { uid, gid, username } = userInfo();
  if (uid === 0) {
    return {
      kind: 'identity',
      uid: identityExtents(readFileSync('/proc/self/uid_map', 'latin1')),
      gid: identityExtents(readFileSync('/proc/self/gid_map', 'latin1')),
    };
  }
  const single: IdMap = { kind: 'single', uid: stacked(uid, []), gid: stacked(gid, []) };
  const user = { name: username, id: uid };
  const uids = subordinateIds(readOrEmpty('/etc/subuid'), user);
  const gids = subordinateIds(readOrEmpty('/etc/subgid'), user);
  if (uids.length === 0) return { ...single, reason: `/etc/subuid has no line for ${username}` };
  if (gids.length === 0) return { ...single, reason: `/etc/subgid has no line for ${username}` };
  if (!hasMapTools) {
    return {
      ...single,
      reason: 'newuidmap and newgidmap are not installed (Debian: package uidmap)',
      isUnexpected: true,
    };
  }
  return { kind: 'range', uid: stacked(uid, uids), gid: stacked(gid, gids) };
}
