/** 300,000 entries: what serving them costs. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makeLargeTree } from './support/large-tree.ts';
import { Sandbox } from './support/sandbox.ts';

const sandbox = new Sandbox();
const entries = 300_000;

beforeAll(async () => {
  const index = makeLargeTree(entries, sandbox.directory);
  await sandbox.start('--tree', index, '--files', '/', '--counters');
});

afterAll(async () => {
  await sandbox.end();
});

function privateKilobytes(pid: number): number {
  return Number(/^Private_Dirty:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))![1]);
}

test('a walk takes two requests a directory, and no memory by the entry', async () => {
  const [server] = await sandbox.servers(1);
  // The first walk of a part of the tree makes the server as large as any does.
  sandbox.run('find "$M/usr/share/group0" -printf %s > /dev/null');
  const before = privateKilobytes(server!);
  const found = Number(sandbox.run(`find "$M" -printf '%s\\n' | wc -l`));
  expect(found).toBeGreaterThan(entries);
  expect(privateKilobytes(server!) - before).toBeLessThan(12 * 1024);
  await sandbox.unmount();
  const counts = JSON.parse(sandbox.errors.trim().split('\n').at(-1)!) as Record<
    string,
    { requests: number } | undefined
  >;
  // Below the root: usr, share, the groups, and the folders of 29 files.
  const directories = 53 + Math.ceil(entries / 30);
  const walked = directories * (1 + 1 / 50);
  expect(counts['READDIRPLUS']!.requests).toBeLessThan(walked * 2.1);
  expect((counts['LOOKUP']?.requests ?? 0) + (counts['GETATTR']?.requests ?? 0)).toBeLessThan(directories / 10);
});
