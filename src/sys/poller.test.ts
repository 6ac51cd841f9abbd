import { closeSync, readSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makePipe } from './pipe.ts';
import { Poller } from './poller.ts';

let poller: Poller;
const open: number[] = [];

beforeEach(() => {
  poller = new Poller();
});

afterEach(() => {
  poller.close();
  poller.close();
  for (const fd of open.splice(0)) closeSync(fd);
});

function pipe(): [read: number, write: number] {
  const ends = makePipe();
  open.push(...ends);
  return ends;
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition() && tries < 500; tries++) await sleep(10);
  expect(condition()).toBe(true);
}

test('calls back for what is there now, what comes, and the end', async () => {
  const [read, write] = pipe();
  writeSync(write, 'a');
  const seen: string[] = [];
  poller.watch(read, () => {
    const data = Buffer.alloc(10);
    const length = readSync(read, data);
    seen.push(data.toString('latin1', 0, length));
    if (length === 0) poller.unwatch(read);
  });
  await until(() => seen.length === 1);
  writeSync(write, 'b');
  await until(() => seen.length === 2);
  closeSync(open.pop()!);
  await until(() => seen.length === 3);
  expect(seen).toEqual(['a', 'b', '']);
});

test('an unwatched fd is quiet, and another may take its number in a callback', async () => {
  const [first, second] = [pipe(), pipe()];
  const calls: string[] = [];
  for (const [read, write] of [first, second]) {
    writeSync(write, 'x');
    poller.watch(read, () => {
      // Whichever comes first takes the other's place.
      const other = read === first[0] ? second[0] : first[0];
      calls.push('old');
      poller.unwatch(read);
      poller.unwatch(other);
      closeSync(other);
      const [newRead, newWrite] = makePipe();
      open.splice(open.indexOf(other), 1, newRead, newWrite);
      poller.watch(newRead, () => calls.push('new'));
    });
  }
  await until(() => calls.length === 1);
  await sleep(50);
  expect(calls).toEqual(['old']);
});

test('can be watched again after the last was unwatched', async () => {
  const [read, write] = pipe();
  poller.watch(read, () => undefined);
  poller.unwatch(read);
  poller.unwatch(read);
  await sleep(20);
  let called = false;
  writeSync(write, 'x');
  poller.watch(read, () => {
    called = true;
    poller.unwatch(read);
  });
  await until(() => called);
});

test('a callback that throws does not keep others from being called, and may try again', async () => {
  const [bad, good] = [pipe(), pipe()];
  const caught: unknown[] = [];
  const listeners = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => caught.push(error.message));
  try {
    let [tries, seen] = [0, 0];
    poller.watch(bad[0], () => {
      tries++;
      if (tries === 1) throw new Error('bad');
      poller.unwatch(bad[0]);
    });
    poller.watch(good[0], () => {
      seen += readSync(good[0], Buffer.alloc(1));
    });
    writeSync(bad[1], 'x');
    await until(() => caught.length === 1);
    writeSync(good[1], 'x');
    await until(() => seen === 1);
    await until(() => tries === 2);
    expect(caught).toEqual(['bad']);
  } finally {
    process.removeAllListeners('uncaughtException');
    for (const listener of listeners) process.on('uncaughtException', listener);
  }
});
