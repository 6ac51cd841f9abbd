import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createEventFd } from '../sys/epoll.ts';
import { errno } from '../sys/errors.ts';
import { close, duplicate, openAt } from '../sys/files.ts';
import { readFd, writeFd } from '../sys/io.ts';
import { allocate } from '../sys/memory.ts';
import { AT_FDCWD, O_NONBLOCK, O_RDWR } from '../sys/open-flags.ts';
import type { Transport } from '../transport/transport.ts';
import { EventLoop } from './event-loop.ts';
import { Session } from './session.ts';

const word = allocate(8);
word.buffer.writeBigUInt64LE(1n);

let directory: string;
let loop: EventLoop;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fuse-overlay-'));
  loop = new EventLoop();
});
afterEach(() => {
  loop.close();
  rmSync(directory, { recursive: true });
});

/** A descriptor that becomes readable after some seconds, by another process: `run` blocks this one. */
function readableAfter(seconds: number): number {
  const path = join(directory, 'fifo');
  execFileSync('mkfifo', [path]);
  const fd = openAt(AT_FDCWD, path, O_RDWR | O_NONBLOCK);
  spawn('sh', ['-c', `sleep ${seconds}; echo > ${path}`], { stdio: 'ignore' });
  return fd;
}

test('calls a watcher for as long as its descriptor is ready, and not after it was removed', () => {
  const fd = createEventFd();
  let calls = 0;
  loop.add(fd, () => {
    if (++calls === 3) readFd(fd, word.address, 8);
  });
  const end = readableAfter(0.2);
  loop.add(end, () => {
    loop.stop();
  });
  word.buffer.writeBigUInt64LE(1n);
  writeFd(fd, word.address, 8);
  loop.run();
  expect(calls).toBe(3);
  word.buffer.writeBigUInt64LE(1n);
  writeFd(fd, word.address, 8);
  loop.remove(fd);
  loop.run();
  expect(calls).toBe(3);
  close(fd);
  close(end);
});

test('a session whose mount is gone is watched no more, although another process has its descriptor', () => {
  const fd = createEventFd();
  const other = duplicate(fd);
  word.buffer.writeBigUInt64LE(1n);
  writeFd(fd, word.address, 8);
  const gone: Transport = {
    fd,
    receive: () => -errno.ENODEV,
    send: () => -errno.ENODEV,
    close: () => void close(fd),
  };
  let closed = 0;
  const session = new Session(gone, { lookup: () => 0, getattr: () => 0 }, { onClose: () => closed++ });
  loop.addSession(session);
  const end = readableAfter(0.4);
  loop.add(end, () => {
    loop.stop();
  });
  const before = process.cpuUsage();
  loop.run();
  const { user, system } = process.cpuUsage(before);
  expect(closed).toBe(1);
  // Awake all the time it would use the 400 ms.
  expect(user + system).toBeLessThan(200_000);
  close(other);
  close(end);
});

test('shares the thread with timers and promises', async () => {
  let ticks = 0;
  const timer = setInterval(() => {
    if (++ticks === 3) loop.stop();
  }, 5);
  await loop.runShared();
  clearInterval(timer);
  expect(ticks).toBe(3);
});
