/**
 * The launch plan of an OCI bundle, for a runtime that keeps no process of its own: the container's first process is
 * left to whoever reaps for the caller (PR_SET_CHILD_SUBREAPER, prctl(2)), and waits in a socket of the container's
 * state folder for the word of another call to start.
 *
 *   caller    writes the id maps, moves the starter to its cgroup, runs hooks
 *   starter   joins namespaces, clones the container's first process, reports its pid, ends
 *   container mounts, changes its root, reports, accepts a connection on its socket (`start`), gives up privileges, execve
 *
 * Before each step that needs the caller's work the plan waits for a byte on the status socket; the caller's end there
 * ends a container that is not ready. With `foreground`, the starter is cloned beside a parent that reports the end.
 */
import { Label, LaunchPlan, type Result } from '../monitor/plan.ts';
import { STATUS_FD } from '../monitor/plan-layout.ts';
import { AF_UNIX, AT_FDCWD, CLONE, KEYCTL_JOIN_SESSION_KEYRING, O, PR, SIGCHLD, SOCK } from '../sys/linux-constants.ts';
import { BUNDLE_FD, type BundleLaunch, type NamespacePlan } from './bundle-launch.ts';
import { appendBundleDevices } from './bundle-device-stage.ts';
import {
  appendBundleProcess,
  appendLookup,
  appendPersonality,
  appendStdio,
  openLabel,
} from './bundle-process-stage.ts';
import { appendConsole } from './device-stage.ts';
import { FD } from './fds.ts';
import { appendHideStage } from './hide-stage.ts';
import { appendMountStage } from './mount-stage.ts';
import { appendLimits } from './process-stage.ts';
import { appendBundleRoot, appendPropagation, appendRootChange } from './bundle-root-stage.ts';
import { appendReadonlyRoot, appendWorkingDirectory } from './root-stage.ts';
import { unixAddress } from './structures.ts';
import { appendTerminal, appendTerminalStdio } from './terminal-stage.ts';

export interface BundlePlan {
  readonly plan: LaunchPlan;
  /** The index of the operation from which on errors go to whoever starts the container. */
  readonly startsAt: number;
  /** How many pairs of fds the container reports, from and to, before it stops for the caller to copy the one's content. */
  readonly copyUps: number;
}

export function bundlePlan(launch: BundleLaunch): BundlePlan {
  const { spec, process, namespaces } = launch;
  const { linux = {} } = spec;
  const ownMounts = (namespaces.create & CLONE.NEWNS) !== 0;
  const plan = new LaunchPlan();
  plan.rename('trun-oci');
  closeInherited(plan, launch.preservedFds);
  plan.call('chdir', ['/'], 'enter /');
  appendStarter(plan, launch);

  waitForWord(plan);
  // Before the ids change: they decide who may write to this process's files of /proc.
  const label = openLabel(plan, launch);
  if (hasUserNamespace(namespaces)) becomeRoot(plan);
  plan.call('umask', [0o022], 'set the umask');
  if (launch.keyring !== undefined) {
    plan.call('keyctl', [KEYCTL_JOIN_SESSION_KEYRING, launch.keyring], 'make a session keyring', { ignore: true });
  }
  if (launch.hide) plan.call('prctl', [PR.SET_DUMPABLE, 0, 0, 0, 0], 'hide from other containers');

  appendBundleRoot(plan, launch.rootfs, {
    ownMounts,
    propagation: linux.rootfsPropagation,
    rootfsMount: launch.rootfsMount,
  });
  const copyUps = ownMounts ? appendMountStage(plan, launch.mounts) : [];
  if (ownMounts) appendBundleDevices(plan, launch);
  if (process.terminal === true) {
    appendTerminal(plan, process, BUNDLE_FD.console, { nonblocking: false });
    if (ownMounts) appendConsole(plan);
  }
  if (ownMounts) appendHideStage(plan, linux);
  appendWorkingDirectory(plan, process.cwd);
  if (launch.pauseInRuntimeRoot || copyUps.length > 0) {
    for (const { from, to } of copyUps) {
      plan.pseudo('note', [from], 'report what to copy');
      plan.pseudo('note', [to], 'report where to copy');
    }
    plan.pseudo('note', [0], 'report');
    waitForWord(plan);
  }
  if (spec.root?.readonly === true && ownMounts) appendReadonlyRoot(plan);
  appendRootChange(plan, { ownMounts, noPivot: launch.noPivot });
  if (ownMounts) appendPropagation(plan, linux.rootfsPropagation);

  setNames(plan, launch);
  appendLookup(plan, process);
  appendStdio(plan, launch);
  plan.call('setsid', [], 'start a session', { ignore: true });
  if (process.terminal === true) appendTerminalStdio(plan);
  closeBeforeStart(plan, launch, label);
  plan.pseudo('note', [0], 'report');

  const startsAt = appendStartGate(plan);
  // Its limits, the caller has set.
  appendLimits(plan, { ...process, rlimits: [] });
  appendPersonality(plan, linux.personality?.domain);
  appendBundleProcess(plan, launch, label);
  return { plan, startsAt, copyUps: copyUps.length };
}

/** What the caller inherited and did not mean to hand on. */
function closeInherited(plan: LaunchPlan, preserved: number): void {
  const { console, preserved: first } = BUNDLE_FD;
  plan.call('close_range', [console + 1, first - 1, 0], 'close file descriptors');
  plan.call('close_range', [first + preserved, 0xffffffff, 0], 'close file descriptors');
}

function waitForWord(plan: LaunchPlan): void {
  plan.call('read', [STATUS_FD, plan.room(1, 'byte'), 1], 'wait for the word to go', { nonzero: true });
}

/** The starter's work, up to where the container's first process begins. */
function appendStarter(plan: LaunchPlan, { foreground, namespaces, startSocket }: BundleLaunch): void {
  if (foreground) {
    // The caller's terminal signals the caller, which passes on what the program is to get.
    plan.call('setsid', [], 'start a session', { ignore: true });
    const starter = new Label();
    const pid = plan.fork('clone', [SIGCHLD, 0, 0, 0, 0], starter, 'clone a process');
    plan.pseudo('note', [pid], 'report the pid');
    for (const fd of [0, 1, 2, BUNDLE_FD.console]) plan.call('close', [fd], 'close file descriptors', { ignore: true });
    plan.pseudo('reap', [pid], 'wait for the container');
    plan.place(starter);
  } else {
    plan.pseudo('note', [0], 'report');
  }
  waitForWord(plan);
  listen(plan, startSocket);
  joinAll(plan, namespaces);

  const first = new Label();
  const flags = namespaces.create & ~CLONE.NEWTIME;
  const pid = plan.fork(
    'clone',
    [flags | (foreground ? CLONE.PARENT : 0) | SIGCHLD, 0, 0, 0, 0],
    first,
    'create namespaces',
  );
  plan.pseudo('note', [pid], 'report the pid');
  plan.call('exit_group', [0], 'leave');
  plan.place(first);
}

function listen(plan: LaunchPlan, { folder, name }: BundleLaunch['startSocket']): void {
  plan.call('chdir', [folder], `enter ${folder}`);
  const socket = plan.call('socket', [AF_UNIX, SOCK.STREAM | SOCK.CLOEXEC, 0], 'make a socket');
  plan.call('dup3', [socket, FD.listen, O.CLOEXEC], 'move the socket');
  plan.call('close', [socket], 'close the socket');
  const address = unixAddress(name);
  plan.call('bind', [FD.listen, address, address.length], `make the socket ${folder}/${name}`);
  plan.call('listen', [FD.listen, 4], 'listen');
  plan.call('chdir', ['/'], 'enter /');
}

/**
 * setns(2) into namespaces by path. With a user namespace among them, the others may belong to it or to the caller's,
 * and only who has CAP_SYS_ADMIN over the owner may join: each is tried before and after.
 */
function joinAll(plan: LaunchPlan, { create, join, timeOffsets }: NamespacePlan): void {
  const opened = join.map(({ flag, path }) => {
    const fd = plan.call('openat', [AT_FDCWD, path, O.RDONLY | O.CLOEXEC, 0], `open the namespace ${path}`);
    return { fd, flag, path };
  });
  const user = opened.find(({ flag }) => flag === CLONE.NEWUSER);
  const others = opened.filter((namespace) => namespace !== user);
  if (user === undefined) {
    for (const { fd, flag, path } of others) plan.call('setns', [fd, flag], `join the namespace ${path}`);
  } else {
    for (const { fd, flag, path } of others) joinEarly(plan, fd, flag, path);
    plan.call('setns', [user.fd, CLONE.NEWUSER], `join the user namespace ${user.path}`);
    for (const { fd, flag, path } of others) joinLate(plan, fd, flag, path);
  }
  if (create & CLONE.NEWTIME) {
    plan.call('unshare', [CLONE.NEWTIME], 'create a time namespace');
    if (timeOffsets !== undefined && timeOffsets !== '') {
      const file = plan.call(
        'openat',
        [AT_FDCWD, '/proc/self/timens_offsets', O.WRONLY | O.CLOEXEC, 0],
        'open the time offsets',
      );
      plan.call('write', [file, timeOffsets, timeOffsets.length], 'set the time offsets');
    }
  }
}

/** A namespace that is joined has its fd closed, which is how `joinLate` tells. */
function joinEarly(plan: LaunchPlan, fd: Result, flag: number, path: string): void {
  const later = new Label();
  plan.call('setns', [fd, flag], `join the namespace ${path}`, { otherwise: later });
  plan.call('close', [fd], 'close the namespace');
  plan.place(later);
}

function joinLate(plan: LaunchPlan, fd: Result, flag: number, path: string): void {
  const joined = new Label();
  plan.call('fcntl', [fd, 1 /* F_GETFD */], 'look for the namespace', { otherwise: joined });
  plan.call('setns', [fd, flag], `join the namespace ${path}`);
  plan.place(joined);
}

function hasUserNamespace({ create, join }: NamespacePlan): boolean {
  return (create & CLONE.NEWUSER) !== 0 || join.some(({ flag }) => flag === CLONE.NEWUSER);
}

function becomeRoot(plan: LaunchPlan): void {
  plan.call('setresgid', [0, 0, 0], 'become group 0 of the user namespace (is it mapped?)', { ignore: true });
  plan.call('setresuid', [0, 0, 0], 'become user 0 of the user namespace (is it mapped?)', { ignore: true });
  plan.call('setgroups', [0, 0], 'give up groups', { ignore: true });
}

function setNames(plan: LaunchPlan, { spec: { hostname, domainname }, namespaces }: BundleLaunch): void {
  if (!(namespaces.create & CLONE.NEWUTS)) return;
  if (hostname !== undefined && hostname !== '') {
    plan.call('sethostname', [hostname, Buffer.byteLength(hostname)], `set the hostname ${hostname}`);
  }
  if (domainname !== undefined && domainname !== '') {
    plan.call('setdomainname', [domainname, Buffer.byteLength(domainname)], `set the domain name ${domainname}`);
  }
}

/** While it waits, the container holds nothing of the host's but its socket, its stdio and what is preserved. */
function closeBeforeStart(plan: LaunchPlan, { preservedFds }: BundleLaunch, label: Result | undefined): void {
  const { preserved } = BUNDLE_FD;
  plan.call('close_range', [BUNDLE_FD.console, FD.listen - 1, 0], 'close file descriptors');
  if (label === undefined) {
    plan.call('close_range', [FD.listen + 1, preserved - 1, 0], 'close file descriptors');
  } else {
    plan.call('close_range', [FD.listen + 1, FD.label - 1, 0], 'close file descriptors');
    plan.call('close_range', [FD.label + 1, preserved - 1, 0], 'close file descriptors');
  }
  plan.call('close_range', [preserved + preservedFds, 0xffffffff, 0], 'close file descriptors');
}

/**
 * Takes the connection of `start` as the status socket, and its byte as the word. One that ends without it was a
 * `start` that failed: the next may succeed. Returns the index of the first operation that reports to it.
 */
function appendStartGate(plan: LaunchPlan): number {
  const [wait, again, go] = [new Label(), new Label(), new Label()];
  plan.place(wait);
  const connection = plan.call('accept4', [FD.listen, 0, 0, SOCK.CLOEXEC], 'wait for start');
  plan.call('dup3', [connection, STATUS_FD, O.CLOEXEC], 'take the connection');
  plan.call('close', [connection], 'close the connection');
  const first = plan.call('read', [STATUS_FD, plan.room(1, 'byte'), 1], 'wait for start', {
    nonzero: true,
    otherwise: again,
  });
  plan.jump(go);
  plan.place(again);
  plan.jump(wait);
  plan.place(go);
  plan.call('close', [FD.listen], 'close the socket');
  return first.operation;
}
