import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';
import { processIdentity } from '../sys/process-identity.ts';
import { openRoot } from './root-files.ts';

test("a process's root is opened, not that of another with its pid", () => {
  const own = processIdentity(process.pid)!;
  const root = openRoot(own)!;
  expect(fstatSync(root).ino).toBe(statSync('/').ino);
  closeSync(root);
  expect(openRoot({ ...own, startTime: own.startTime + 1 })).toBeUndefined();
  expect(openRoot({ ...own, bootId: 'another' })).toBeUndefined();
});

test('of a process that has ended there is no root', async () => {
  const child = spawn('sleep', ['60']);
  const identity = processIdentity(child.pid!);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(openRoot(identity)).toBeUndefined();
  expect(openRoot(undefined)).toBeUndefined();
});
