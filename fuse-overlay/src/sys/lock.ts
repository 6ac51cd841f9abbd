/** Advisory locks on whole files (flock(2)), held by the open file: they end with the process, however it ends. */
import { bind, check } from './libc.ts';

const flock = bind('flock', 'int', ['int', 'int']);

const LOCK_EX = 2;
const LOCK_NB = 4;

/** Takes the lock or gives `-EWOULDBLOCK`. */
export function tryLock(fd: number): number {
  return check(flock(fd, LOCK_EX | LOCK_NB));
}
