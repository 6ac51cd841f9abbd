/** What a container's first process or an `exec` needs besides its spec: from the caller, and from the host. */
import { existsSync, fstatSync, readFileSync, statSync } from 'node:fs';
import type { Linux, Process } from '../../oci/runtime-spec.ts';
import { compileSeccomp } from '../../oci/seccomp/compile.ts';
import type { BundleProcess } from '../../runtime/bundle-launch.ts';
import { RuntimeError } from '../runtime-error.ts';

export function processInput(process: Process, { seccomp }: Linux, preserveFds: number): BundleProcess {
  const filter = seccomp === undefined ? undefined : compileSeccomp(seccomp, architecture());
  const label = labelOf(process);
  const openFiles = callersOpenFiles();
  return {
    process,
    preservedFds: preserveFds + listenFds(),
    ownedStdio: process.terminal === true ? [] : [0, 1, 2].filter(isToBeOwned),
    ...(filter === undefined ? {} : { seccomp: { filter: Buffer.from(filter.program), flags: filter.flags } }),
    ...(label === undefined ? {} : { label }),
    ...(openFiles === undefined ? {} : { openFiles }),
  };
}

/** The fds that a plan's program is to be started with for them: 3 and following to where the plan looks for them. */
export function preservedFdMap(count: number, first: number): (readonly [from: number, to: number])[] {
  for (let i = 0; i < count; i++) {
    try {
      fstatSync(3 + i);
    } catch {
      throw new RuntimeError(`please check that preserved-fd ${i} (of ${count}) is present`);
    }
  }
  return Array.from({ length: count }, (_, i) => [3 + i, first + i]);
}

function architecture(): 'x64' | 'arm64' {
  if (process.arch !== 'x64' && process.arch !== 'arm64') {
    throw new RuntimeError(`no seccomp filters for ${process.arch}`);
  }
  return process.arch;
}

/** sd_listen_fds(3): sockets that a service manager passed are preserved, too. */
function listenFds(): number {
  const { LISTEN_FDS: count = '0', LISTEN_PID: pid } = process.env;
  return pid === String(process.pid) && /^\d+$/.test(count) ? Number(count) : 0;
}

/** /dev/null is everybody's, and stays the host's. */
function isToBeOwned(fd: number): boolean {
  try {
    return fstatSync(fd).rdev !== statSync('/dev/null').rdev;
  } catch {
    return false;
  }
}

/** Node has raised its own soft limit as it began; the caller's, proc(5) knows. */
function callersOpenFiles(): BundleProcess['openFiles'] {
  try {
    const limits = readFileSync(`/proc/${process.ppid}/limits`, 'latin1');
    const [, soft, hard] = /^Max open files\s+(\d+)\s+(\d+)/m.exec(limits) ?? [];
    return soft === undefined || hard === undefined ? undefined : { soft: Number(soft), hard: Number(hard) };
  } catch {
    return undefined;
  }
}

function labelOf({ apparmorProfile = '', selinuxLabel = '' }: Process): BundleProcess['label'] {
  if (selinuxLabel !== '') {
    if (!existsSync('/sys/fs/selinux/enforce')) {
      throw new RuntimeError('selinux label is specified in config, but selinux is disabled or not supported');
    }
    return { file: '/proc/self/attr/exec', value: selinuxLabel };
  }
  if (apparmorProfile === '' || apparmorProfile === 'unconfined') return undefined;
  if (!existsSync('/sys/kernel/security/apparmor') && !existsSync('/proc/self/attr/apparmor/exec')) {
    throw new RuntimeError(`apparmor profile ${apparmorProfile} is specified in config, but AppArmor is not enabled`);
  }
  const own = '/proc/self/attr/apparmor/exec';
  return { file: existsSync(own) ? own : '/proc/self/attr/exec', value: `exec ${apparmorProfile}` };
}
