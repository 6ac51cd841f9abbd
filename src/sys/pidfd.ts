import { native } from './koffi.ts';
import { check } from './system-error.ts';

const syscall = native('syscall', 'long', ['long', 'long', 'long', 'long', 'long']);

// The same numbers on x86-64 and arm64 (asm-generic/unistd.h).
const SYS_PIDFD_SEND_SIGNAL = 424;
const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_GETFD = 438;

/** pidfd_open(2): a close-on-exec fd that stands for this very process, whatever becomes of its pid. */
export function pidfdOpen(pid: number): number {
  return check(syscall(SYS_PIDFD_OPEN, pid, 0, 0, 0), 'pidfd_open', String(pid));
}

/** pidfd_getfd(2): a duplicate (close-on-exec) of another process's fd. Needs ptrace access to it. */
export function pidfdGetfd(pidfd: number, theirFd: number): number {
  return check(syscall(SYS_PIDFD_GETFD, pidfd, theirFd, 0, 0), 'pidfd_getfd');
}

/** pidfd_send_signal(2). */
export function pidfdSendSignal(pidfd: number, signal: number): void {
  check(syscall(SYS_PIDFD_SEND_SIGNAL, pidfd, signal, 0, 0), 'pidfd_send_signal');
}
