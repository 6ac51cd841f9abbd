import { native } from './koffi.ts';
import { errorCode } from '../base/error-code.ts';
import { check } from './system-error.ts';

const flock = native('flock', 'int', ['int', 'int']);

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * flock(2) on an open file, released when the last duplicate of the fd is closed, so also by kill -9.
 * Without `wait`, returns false where somebody else holds it. With `wait` it blocks the whole process.
 */
export function lockFile(fd: number, mode: 'shared' | 'exclusive', wait: boolean): boolean {
  try {
    check(flock(fd, (mode === 'shared' ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB)), 'flock');
    return true;
  } catch (error) {
    if (errorCode(error) === 'EAGAIN') return false;
    throw error;
  }
}
