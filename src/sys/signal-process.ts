import { closeSync } from 'node:fs';
import { pidfdOpen, pidfdSendSignal } from './pidfd.ts';
import { isAlive, type ProcessIdentity } from './process-identity.ts';
import { errorCode } from '../base/error-code.ts';

/** A pidfd of that very process, which the caller closes; undefined where it is gone. */
export function openProcess(identity: ProcessIdentity): number | undefined {
  let pidfd: number | undefined;
  try {
    pidfd = pidfdOpen(identity.pid);
    // The fd is of one process from here on, whoever had its pid before.
    if (isAlive(identity)) return pidfd;
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error;
  }
  if (pidfd !== undefined) closeSync(pidfd);
  return undefined;
}

/** Sends a signal to that very process, never to another that has its pid by now. Returns false where it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: number): boolean {
  const pidfd = openProcess(identity);
  if (pidfd === undefined) return false;
  try {
    pidfdSendSignal(pidfd, signal);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ESRCH') return false;
    throw error;
  } finally {
    closeSync(pidfd);
  }
}
