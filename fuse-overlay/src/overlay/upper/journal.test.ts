import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Change } from './change.ts';
import { Journal } from './journal.ts';

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'journal-'));
  path = join(dir, 'journal');
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

const transactions: Change[][] = [
  [{ kind: 'next', ino: 2 ** 52 + 7 }],
  [
    { kind: 'touch', ino: 1, nlink: 3, mtime: -5, mtimeNsec: 999_999_999 },
    { kind: 'entry', parent: 1, seq: 4, ino: 0, name: '\xff\xfe\n' },
  ],
  [{ kind: 'xattr', ino: 9, name: 'user.a', value: Buffer.from([0, 1, 255]) }],
  [{ kind: 'target', ino: 9, target: Buffer.alloc(600, 'x') }],
  [{ kind: 'unentry', parent: 1, name: 'y'.repeat(255) }, { kind: 'drop', ino: 9 }, { kind: 'closed' }],
];

function read(from: string): Change[] {
  const changes: Change[] = [];
  Journal.open(from, (change) => changes.push(change), none).close();
  return changes;
}

function none(): Change[] {
  return [];
}

function ignore(): void {
  // What is in the journal does not matter.
}

/** Writes the transactions; the length of the file after each. */
function write(): number[] {
  const journal = Journal.open(path, ignore, none);
  const lengths = transactions.map((changes) => {
    journal.append(changes);
    return journal.length;
  });
  journal.close();
  return lengths;
}

test('gives back what was written, in order', () => {
  write();
  expect(read(path)).toEqual(transactions.flat());
});

test('cut off at any byte it has exactly the whole transactions before, and goes on from there', () => {
  const lengths = write();
  const size = statSync(path).size;
  const copy = join(dir, 'copy');
  for (let cut = 8; cut <= size; cut++) {
    copyFileSync(path, copy);
    truncateSync(copy, cut);
    const whole = lengths.filter((length) => length <= cut).length;
    const expected = transactions.slice(0, whole).flat();
    const journal = Journal.open(copy, ignore, none);
    journal.append([{ kind: 'drop', ino: cut }]);
    journal.close();
    expect(read(copy)).toEqual([...expected, { kind: 'drop', ino: cut }]);
  }
});

test('a wrong byte anywhere ends it before that transaction', () => {
  const lengths = write();
  const content = readFileSync(path);
  for (let at = 8; at < content.length; at += 3) {
    const damaged = Buffer.from(content);
    damaged[at]! ^= 0x40;
    writeFileSync(path, damaged);
    const whole = lengths.filter((length) => length <= at).length;
    expect(read(path)).toEqual(transactions.slice(0, whole).flat());
  }
});

test('something else under its name is refused', () => {
  writeFileSync(path, 'no journal at all');
  expect(() => read(path)).toThrow('is not a journal');
});

test('a snapshot takes the place of what was before; a draft left behind is no matter', () => {
  write();
  writeFileSync(`${path}.new`, 'half a snapshot');
  const journal = Journal.open(path, ignore, none);
  journal.replace(transactions[1]!);
  journal.append(transactions[0]!);
  journal.close();
  expect(read(path)).toEqual([...transactions[1]!, ...transactions[0]!]);
});

test('deferred changes go out with the next transaction', () => {
  const journal = Journal.open(path, ignore, none);
  journal.defer({ kind: 'drop', ino: 5 });
  const before = journal.length;
  expect(read(path)).toEqual([]);
  journal.append([{ kind: 'next', ino: 6 }]);
  expect(journal.length).toBeGreaterThan(before);
  journal.close();
  expect(read(path)).toEqual([
    { kind: 'drop', ino: 5 },
    { kind: 'next', ino: 6 },
  ]);
});
