import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ACCESS, landlockAbi } from './landlock.ts';

let top: string;

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'trun-landlock-'));
  for (const folder of ['home', 'mine']) mkdirSync(join(top, folder));
  writeFileSync(join(top, 'home/secret'), 'secret');
  writeFileSync(join(top, 'mine/note'), 'note');
});

afterEach(() => rmSync(top, { recursive: true }));

/** A child restricts itself to reading `mine`, tries each expression, and prints code or value: an array of strings. */
function attempts(expressions: readonly string[]): string[] {
  const rules = [
    { path: join(top, 'mine'), allowed: ACCESS.READ_FILE | ACCESS.READ_DIR },
    { path: join(top, 'absent'), allowed: ACCESS.READ_FILE },
    { path: '/proc/self/status', allowed: ACCESS.READ_FILE },
  ];
  const script = `
    import * as fs from 'node:fs';
    import * as later from 'node:fs/promises';
    import { restrictFiles } from ${JSON.stringify(join(import.meta.dirname, 'landlock.ts'))};
    import { pidfdGetfd, pidfdOpen } from ${JSON.stringify(join(import.meta.dirname, 'pidfd.ts'))};
    const open = fs.openSync(${JSON.stringify(join(top, 'home/secret'))});
    const results = [String(restrictFiles(${JSON.stringify(rules)}))];
    process.chdir(${JSON.stringify(top)});
    for (const attempt of [${expressions.map((each) => `() => ${each}`).join(', ')}]) {
      try { results.push(String(await attempt())); } catch (error) { results.push(error.code); }
    }
    console.log(JSON.stringify(results));`;
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as string[];
}

test.skipIf(landlockAbi() === 0)('a process keeps the files that it has named, and loses all others', () => {
  function read(path: string): string {
    return `fs.readFileSync('${path}', 'latin1')`;
  }
  expect(
    attempts([
      read('mine/note'),
      "later.readFile('mine/note', 'latin1')",
      read('home/secret'),
      "later.readFile('home/secret', 'latin1')",
      read('mine/../home/secret'),
      "fs.readdirSync('home')",
      "fs.writeFileSync('mine/note', 'other')",
      "fs.writeFileSync('mine/new', '')",
      "fs.rmSync('mine/note')",
      "fs.symlinkSync('note', 'mine/link')",
      "fs.readFileSync(open, 'latin1')",
      '/NoNewPrivs:\\t1/.test(fs.readFileSync("/proc/self/status", "latin1"))',
    ]),
  ).toEqual([
    ...['true', 'note', 'note', 'EACCES', 'EACCES', 'EACCES', 'EACCES', 'EACCES', 'EACCES', 'EACCES', 'EACCES'],
    ...['secret', 'true'],
  ]);
});

test.skipIf(landlockAbi() === 0)('it takes no fds from processes outside', () => {
  expect(attempts([`pidfdGetfd(pidfdOpen(${process.pid}), 0)`])).toEqual(['true', 'EPERM']);
});
