import type { LaunchError } from '../monitor/record.ts';

/** What of a keeper's plan fails where a host gives its users no FUSE. */
const OPEN = 'open /dev/fuse';
const MOUNT = /^mount FUSE /;

/** /dev/fuse is not there, is not for this user or is something else: nothing can be mounted. */
export class FuseMissing extends Error {
  readonly code: string;
  /** What is the matter, and how to mend it: the two halves of the message. */
  readonly reason: string;
  readonly mend: string;

  constructor(cause: LaunchError) {
    const reason =
      cause.action === OPEN ? cause.message : `Cannot mount by /dev/fuse: ${cause.message.split(': ').at(-1)!}`;
    const mend = mendOf(cause);
    super(`${reason}; ${mend}`, { cause });
    this.code = cause.code;
    this.reason = reason;
    this.mend = mend;
  }

  /** Whether a failure of a keeper is one of these. */
  static is({ action, code }: LaunchError): boolean {
    return action === OPEN || (MOUNT.test(action) && ['EINVAL', 'EPERM', 'ENODEV'].includes(code));
  }
}

function mendOf({ action, code }: LaunchError): string {
  if (action !== OPEN)
    return code === 'EINVAL'
      ? 'it is not the device of FUSE: ask the administrator for mknod /dev/fuse c 10 229'
      : 'the kernel or a seccomp profile forbids it: user namespaces may mount FUSE from Linux 4.18 on';
  return code === 'EACCES' || code === 'EPERM'
    ? 'it must be readable and writable for you: ask the administrator for chmod 0666 /dev/fuse'
    : 'ask the administrator to load it: modprobe fuse (in a container: --device /dev/fuse)';
}
