/** What a bundle's container or `exec` does last: stdio, labels, scheduling, preserved fds, and the program. */
import { Label, type LaunchPlan, type Result } from '../monitor/plan.ts';
import { STATUS_FD } from '../monitor/plan-layout.ts';
import { IO_PRIORITY_CLASSES, type Process, SCHEDULER_FLAGS, SCHEDULER_POLICIES } from '../oci/runtime-spec.ts';
import { AT_EMPTY_PATH, AT_FDCWD, O } from '../sys/linux-constants.ts';
import { ERRNO } from '../sys/system-error.ts';
import { BUNDLE_FD, type BundleProcess } from './bundle-launch.ts';
import { FD } from './fds.ts';
import { appendProcessStage, executableCandidates } from './process-stage.ts';
import { rlimit64, schedulerAttributes } from './structures.ts';

const X_OK = 1;
const RLIMIT_NOFILE = 7;
const IOPRIO_WHO_PROCESS = 1;
const IOPRIO_CLASS_SHIFT = 13;
const PER_LINUX32 = 8;

/** Opens the file of /proc that takes a security label, while the host's /proc is there. */
export function openLabel(plan: LaunchPlan, { label }: BundleProcess): Result | undefined {
  if (label === undefined) return undefined;
  const file = plan.call('openat', [AT_FDCWD, label.file, O.WRONLY | O.CLOEXEC, 0], `open ${label.file}`);
  plan.call('dup3', [file, FD.label, O.CLOEXEC], `move ${label.file}`);
  plan.call('close', [file], `close ${label.file}`);
  return file;
}

/** The program must be there before anybody is told that the container is: execvp(3)'s search, without the execution. */
export function appendLookup(plan: LaunchPlan, { args, env, cwd }: Process): void {
  const name = args[0];
  if (name === undefined) return;
  const found = new Label();
  const candidates = executableCandidates(name, env).map((path) => (path.startsWith('/') ? path : `${cwd}/${path}`));
  for (const [i, path] of candidates.entries()) {
    const next = new Label();
    const last = i === candidates.length - 1;
    plan.call('faccessat', [AT_FDCWD, path, X_OK], `execute ${name}`, last ? {} : { otherwise: next });
    const folder = plan.call('openat', [AT_FDCWD, path, O.PATH | O.DIRECTORY | O.CLOEXEC, 0], `look at ${path}`, {
      otherwise: found,
    });
    plan.call('close', [folder], `look at ${path}`);
    plan.place(next);
  }
  plan.pseudo('fail', [name.includes('/') ? ERRNO.EACCES : ERRNO.ENOENT], `execute ${name}`);
  plan.place(found);
}

/** The user may open /dev/stdout anew only where it owns what is behind: pipes and terminals of the caller. */
export function appendStdio(plan: LaunchPlan, { process, ownedStdio }: BundleProcess): void {
  for (const fd of ownedStdio) {
    plan.call('fchownat', [fd, '', process.user.uid, -1, AT_EMPTY_PATH], 'give stdio to the user', { ignore: true });
  }
}

export function appendBundleProcess(plan: LaunchPlan, input: BundleProcess, label: Result | undefined): void {
  const { process, seccomp, openFiles } = input;
  const limited = process.rlimits?.some(({ type }) => type === 'RLIMIT_NOFILE') === true;
  if (openFiles !== undefined && !limited) {
    const limit = rlimit64(BigInt(openFiles.soft), BigInt(openFiles.hard));
    plan.call('prlimit64', [0, RLIMIT_NOFILE, limit, 0], 'set the limit of open files', { ignore: true });
  }
  schedule(plan, process);
  appendProcessStage(plan, {
    process,
    seccomp: seccomp?.filter,
    seccompFlags: seccomp?.flags,
    init: false,
    endsWithParent: false,
    beforeExec: () => {
      if (label !== undefined) writeLabel(plan, input);
      placePreserved(plan, input.preservedFds);
    },
  });
}

function writeLabel(plan: LaunchPlan, { label }: BundleProcess): void {
  const value = label?.value ?? '';
  plan.call('write', [FD.label, value, Buffer.byteLength(value)], `set the security label ${value}`);
}

/** sched_setattr(2), ioprio_set(2), while the process may still raise itself. */
function schedule(plan: LaunchPlan, { scheduler, ioPriority }: Process): void {
  if (scheduler !== undefined) {
    const flags = (scheduler.flags ?? []).reduce((bits, flag) => bits | (1 << SCHEDULER_FLAGS.indexOf(flag)), 0);
    const attributes = schedulerAttributes({
      ...scheduler,
      policy: SCHEDULER_POLICIES.indexOf(scheduler.policy),
      flags,
    });
    plan.call('sched_setattr', [0, attributes, 0], `set the scheduler ${scheduler.policy}`);
  }
  if (ioPriority !== undefined) {
    const value = (IO_PRIORITY_CLASSES.indexOf(ioPriority.class) << IOPRIO_CLASS_SHIFT) | (ioPriority.priority ?? 0);
    plan.call('ioprio_set', [IOPRIO_WHO_PROCESS, 0, value], `set the I/O priority ${ioPriority.class}`);
  }
}

/** personality(2) of a 32-bit program: what uname(2) says. */
export function appendPersonality(plan: LaunchPlan, domain: 'LINUX' | 'LINUX32' | undefined): void {
  if (domain === undefined) return;
  plan.call('personality', [domain === 'LINUX32' ? PER_LINUX32 : 0], `set the personality ${domain}`);
}

/** The preserved fds go to their places, one of which may be the status socket's: that one makes way. */
function placePreserved(plan: LaunchPlan, count: number): void {
  if (count === 0) return;
  plan.call('dup3', [STATUS_FD, FD.status, O.CLOEXEC], 'move the status socket');
  plan.pseudo('status', [FD.status], 'report elsewhere');
  for (let i = 0; i < count; i++) {
    plan.call('dup3', [BUNDLE_FD.preserved + i, 3 + i, 0], `hand on the file descriptor ${3 + i}`, { ignore: true });
  }
}
