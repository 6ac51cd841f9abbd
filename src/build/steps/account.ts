/** `--chown`: names are looked up in the image that is built. */
import { closeSync, readSync } from 'node:fs';
import type { TreeView } from '../source/tree-view.ts';

const ACCOUNT_LIMIT = 8 << 20;

/** A small text file of a tree; undefined where there is none. */
export function readTreeText(view: TreeView, path: string): string | undefined {
  const found = view.resolve(path);
  if (found?.node.kind !== 'file' || found.node.size > ACCOUNT_LIMIT) return undefined;
  if (found.node.size === 0) return '';
  const fd = view.open(found.node, path);
  try {
    const content = Buffer.alloc(found.node.size);
    return content.toString('utf8', 0, readSync(fd, content, 0, content.length, 0));
  } finally {
    closeSync(fd);
  }
}

/** `user[:group]`, each a name or a number. A number alone is group as well; a name brings its group along. */
export function resolveOwner(spec: string, view: TreeView | undefined): { uid: number; gid: number } {
  const [user = '', group, ...more] = spec.split(':');
  if (more.length > 0 || user === '' || group === '') throw new Error(`invalid chown value: "${spec}"`);
  function textOf(path: string): string {
    return view === undefined ? '' : (readTreeText(view, path) ?? '');
  }
  const owner = isNumber(user) ? { uid: Number(user), gid: Number(user) } : findUser(user, textOf('etc/passwd'));
  if (group === undefined) return owner;
  return { uid: owner.uid, gid: isNumber(group) ? Number(group) : findGroup(group, textOf('etc/group')) };
}

function isNumber(text: string): boolean {
  return /^\d{1,10}$/.test(text) && Number(text) < 2 ** 32 - 1;
}

function findUser(name: string, passwd: string): { uid: number; gid: number } {
  for (const line of passwd.split('\n')) {
    const [entry, , uid, gid] = line.split(':');
    if (entry === name && isNumber(uid ?? '') && isNumber(gid ?? '')) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(
    `unable to convert uid/gid chown string to host mapping: can't find uid for user ${name}: no such user: ${name}`,
  );
}

function findGroup(name: string, groups: string): number {
  for (const line of groups.split('\n')) {
    const [entry, , gid] = line.split(':');
    if (entry === name && isNumber(gid ?? '')) return Number(gid);
  }
  throw new Error(
    `unable to convert uid/gid chown string to host mapping: can't find gid for group ${name}: no such group: ${name}`,
  );
}
