/** Descriptors of other processes: pidfd_open(2), pidfd_getfd(2). The numbers are the same on all architectures. */
import { check, libc } from './libc.ts';

const SYS_PIDFD_OPEN = 434;
const SYS_PIDFD_GETFD = 438;

/** A close-on-exec duplicate of descriptor `fd` of process `pid`. Throws ESRCH, EBADF, EPERM (not ours to trace). */
export function takeFd(pid: number, fd: number): number {
  const process = check(libc.syscall(SYS_PIDFD_OPEN, pid, 0, 0), 'pidfd_open', `Cannot open process ${pid}`);
  try {
    return check(
      libc.syscall(SYS_PIDFD_GETFD, process, fd, 0),
      'pidfd_getfd',
      `Cannot take descriptor ${fd} of process ${pid}`,
    );
  } finally {
    libc.close(process);
  }
}
