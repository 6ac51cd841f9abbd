import { closeSync, existsSync, mkdirSync, mkdtempSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { socketAddress } from '../state/socket-address.ts';
import { acceptUnix, listenUnix, peerUid } from './unix-listener.ts';

let folder: string;
const open: number[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trun-unix-'));
});

afterEach(() => {
  for (const fd of open.splice(0)) closeSync(fd);
  rmSync(folder, { recursive: true });
});

function listen(path: string): number {
  using address = socketAddress(path);
  const fd = listenUnix(address.path);
  open.push(fd);
  return fd;
}

/** Connects, and says what the other end wrote until it hung up. */
function read(path: string): Promise<string> {
  const address = socketAddress(path);
  return new Promise((resolve, reject) => {
    let text = '';
    createConnection(address.path)
      .on('connect', () => address[Symbol.dispose]())
      .on('data', (chunk) => (text += chunk.toString()))
      .on('error', reject)
      .on('end', () => resolve(text));
  });
}

async function accepted(listener: number): Promise<number> {
  let fd: number | undefined;
  await expect.poll(() => (fd = acceptUnix(listener))).toBeDefined();
  return fd!;
}

test('a connection of our own user is accepted, and read without waiting', async () => {
  const path = join(folder, 'socket');
  const listener = listen(path);
  expect(acceptUnix(listener)).toBeUndefined();
  const said = read(path);
  const fd = await accepted(listener);
  expect(peerUid(fd)).toBe(process.getuid!());
  expect(() => readSync(fd, Buffer.alloc(1))).toThrow(expect.objectContaining({ code: 'EAGAIN' }));
  writeSync(fd, 'hello');
  closeSync(fd);
  expect(await said).toBe('hello');
});

test('in a folder deeper than a socket’s address is long', async () => {
  const deep = join(folder, ...Array<string>(6).fill('a-folder-with-a-long-name'));
  mkdirSync(deep, { recursive: true });
  const path = join(deep, 'socket');
  expect(path.length).toBeGreaterThan(107);
  expect(() => listenUnix(path)).toThrow(expect.objectContaining({ code: 'ENAMETOOLONG', syscall: 'bind', path }));
  const listener = listen(path);
  const said = read(path);
  closeSync(await accepted(listener));
  expect(await said).toBe('');
});

test('what a dead predecessor left is replaced', () => {
  const path = join(folder, 'socket');
  writeFileSync(path, '');
  listen(path);
  expect(existsSync(path)).toBe(true);
  expect(() => listenUnix(join(folder, 'absent/socket'))).toThrow(expect.objectContaining({ code: 'ENOENT' }));
});
