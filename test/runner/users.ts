import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';

export interface TestUser {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  /** A run-time folder as a login session would give it. */
  readonly runtime: string;
}

const rangeFiles = ['/etc/subuid', '/etc/subgid'];
const rangeSize = 65536;

interface Range {
  readonly owner: string;
  readonly first: number;
  readonly count: number;
}

function ranges(file: string): Range[] {
  return readFileSync(file, { encoding: 'utf8', flag: 'a+' })
    .split('\n')
    .filter((line) => line.includes(':'))
    .map((line) => line.split(':'))
    .map(([owner, first, count]) => ({ owner: owner!, first: Number(first), count: Number(count) }));
}

function find(name: string): TestUser | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${name}:`));
  if (line === undefined) return undefined;
  const [, , uid, gid, , home] = line.split(':');
  return { name, uid: Number(uid), gid: Number(gid), home: home!, runtime: `/run/trun-test/${uid}` };
}

/** Gives the user one range of subordinate ids above all others, or takes all that it has. */
function setRange(name: string, wanted: boolean): void {
  for (const [index, file] of rangeFiles.entries()) {
    const all = ranges(file);
    const own = all.filter(({ owner }) => owner === name);
    const flag = index === 0 ? 'subuids' : 'subgids';
    if (wanted && own.length === 0) {
      const first = Math.max(100_000, ...all.map((each) => each.first + each.count));
      execFileSync('usermod', [`--add-${flag}`, `${first}-${first + rangeSize - 1}`, name]);
    }
    if (!wanted) {
      for (const { first, count } of own) {
        execFileSync('usermod', [`--del-${flag}`, `${first}-${first + count - 1}`, name]);
      }
    }
  }
}

/** Finds or creates an ordinary user, as root. */
export function ensureUser(name: string, withSubordinateIds: boolean): TestUser {
  if (find(name) === undefined) execFileSync('useradd', ['--create-home', '--shell', '/bin/bash', name]);
  setRange(name, withSubordinateIds);
  const user = find(name)!;
  mkdirSync(user.runtime, { recursive: true, mode: 0o755 });
  execFileSync('chown', [`${user.uid}:${user.gid}`, user.runtime]);
  execFileSync('chmod', ['700', user.runtime]);
  return user;
}
