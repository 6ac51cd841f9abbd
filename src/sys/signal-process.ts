import { closeSync } from 'node:fs';
import { pidfdOpen, pidfdSendSignal } from './pidfd.ts';
import { isAlive, type ProcessIdentity } from './process-identity.ts';
import { errorCode } from '../base/error-code.ts';

/** Sends a signal to that very process, never to another that has its pid by now. Returns false where it is gone. */
export function signalProcess(identity: ProcessIdentity, signal: number): boolean {
  let pidfd;
  try {
    pidfd = pidfdOpen(identity.pid);
    // The fd is of one process from here on, whoever had its pid before.
    if (!isAlive(identity)) return false;
    pidfdSendSignal(pidfd, signal);
    return true;
  } catch (error) {
    if (errorCode(error) === 'ESRCH') return false;
    throw error;
  } finally {
    if (pidfd !== undefined) closeSync(pidfd);
  }
}
