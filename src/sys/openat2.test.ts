import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { O } from './linux-constants.ts';
import { openBelow } from './openat2.ts';

let top: string;
let root: number;

beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'trun-below-'));
  mkdirSync(join(top, 'root/etc'), { recursive: true });
  writeFileSync(join(top, 'secret'), 'outside');
  writeFileSync(join(top, 'root/secret'), 'inside');
  root = openSync(join(top, 'root'), O.PATH | O.DIRECTORY);
});

afterEach(() => {
  closeSync(root);
  rmSync(top, { recursive: true });
});

function read(path: string): string {
  const fd = openBelow(root, path, O.RDONLY);
  try {
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

test('dots and links lead no higher than the root', () => {
  symlinkSync('../../../secret', join(top, 'root/etc/relative'));
  symlinkSync('/secret', join(top, 'root/etc/absolute'));
  symlinkSync('..', join(top, 'root/up'));
  for (const path of ['secret', '/secret', '../secret', '../../secret', 'etc/relative', 'etc/absolute', 'up/up/secret'])
    expect(read(path)).toBe('inside');
});

test('magic links and loops are refused', () => {
  symlinkSync('loop', join(top, 'root/loop'));
  expect(() => read('loop')).toThrow('ELOOP');
  const proc = openSync('/proc/self', O.PATH | O.DIRECTORY);
  expect(() => openBelow(proc, 'root/etc', O.RDONLY)).toThrow('ELOOP');
  closeSync(proc);
});

test('a fifo is opened without waiting for its other end', () => {
  process.getBuiltinModule('node:child_process').execFileSync('mkfifo', [join(top, 'root/fifo')]);
  closeSync(openBelow(root, 'fifo', O.RDONLY));
});
