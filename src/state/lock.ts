import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { lockFile } from '../sys/flock.ts';

/** A lock on a file, held until it is disposed of or the process ends, however it ends. */
export interface Lock extends Disposable {
  readonly fd: number;
}

/** Takes the lock if nobody holds it. The file stays: removing it would give two processes two locks. */
export function tryLock(path: string, mode: 'shared' | 'exclusive' = 'exclusive'): Lock | undefined {
  const fd = openSync(path, 'a', 0o600);
  if (lockFile(fd, mode, false)) return { fd, [Symbol.dispose]: () => closeSync(fd) };
  closeSync(fd);
  return undefined;
}

/** Waits for the lock without blocking the event loop. */
export async function takeLock(path: string, mode: 'shared' | 'exclusive' = 'exclusive'): Promise<Lock> {
  for (let pause = 1; ; pause = Math.min(2 * pause, 50)) {
    const lock = tryLock(path, mode);
    if (lock !== undefined) return lock;
    await sleep(pause);
  }
}
