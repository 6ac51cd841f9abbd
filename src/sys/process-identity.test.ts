import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isAlive, processIdentity } from './process-identity.ts';
import { signalProcess } from './signal-process.ts';

test('this process is itself, and no other time’s', () => {
  const own = processIdentity(process.pid)!;
  expect(own.startTime).toBeGreaterThan(0);
  expect(isAlive(own)).toBe(true);
  expect(isAlive({ ...own, startTime: own.startTime + 1 })).toBe(false);
  expect(isAlive({ ...own, bootId: 'another' })).toBe(false);
  expect(isAlive(undefined)).toBe(false);
});

test('a program may have parentheses and spaces in its name; it is gone when it is', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trun-identity-'));
  try {
    const program = join(folder, ') S 1 (2 x');
    copyFileSync('/bin/sleep', program);
    const child = spawn(program, ['100']);
    await once(child, 'spawn');
    const identity = processIdentity(child.pid!)!;
    expect(isAlive(identity)).toBe(true);
    expect(identity.startTime).toBeGreaterThanOrEqual(processIdentity(process.pid)!.startTime);
    expect(signalProcess({ ...identity, startTime: identity.startTime - 1 }, constants.signals.SIGKILL)).toBe(false);
    expect(isAlive(identity)).toBe(true);
    const exit = once(child, 'exit');
    expect(signalProcess(identity, constants.signals.SIGKILL)).toBe(true);
    expect(await exit).toEqual([null, 'SIGKILL']);
    expect(isAlive(identity)).toBe(false);
    expect(signalProcess(identity, constants.signals.SIGKILL)).toBe(false);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
