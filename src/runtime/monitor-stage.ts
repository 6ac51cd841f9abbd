/** First stage, in the host's namespaces: sockets and pipes, the clone of the joiner, and then the container's watch. */
import { Label, type LaunchPlan, Load32, type Result, Slot } from '../monitor/plan.ts';
import { STATUS_FD, SUPERVISION } from '../monitor/plan-layout.ts';
import { AF_UNIX, AT_FDCWD, MSG_CMSG_CLOEXEC, MSG_NOSIGNAL, O, SIGCHLD, SOCK } from '../sys/linux-constants.ts';
import { ERRNO } from '../sys/system-error.ts';
import { FD } from './fds.ts';
import type { LaunchInput, SupervisionInput } from './launch-input.ts';
import { fdMessage, unixAddress } from './structures.ts';

/** Appends the stage; the joiner goes on at the label returned. */
export function appendMonitorStage(plan: LaunchPlan, input: LaunchInput): Label {
  const terminal = input.spec.process?.terminal === true;
  const orphaned = new Label();
  listen(plan, input.supervision, orphaned);
  const handedOver = terminal ? openTerminalPipe(plan) : openPipes(plan, input.openStdin);

  const joiner = new Label();
  const pid = plan.fork('clone', [SIGCHLD, 0, 0, 0, 0], joiner, 'clone a process');

  if (terminal) receiveMaster(plan);
  const containerEnds = terminal ? [FD.masterReceive] : [FD.stdinRead, FD.stdoutWrite, FD.stderrWrite];
  for (const fd of containerEnds) plan.call('close', [fd], "close the container's end", { ignore: true });
  for (const fd of pidfdsOf(input)) plan.call('close', [fd], 'close a pidfd', { ignore: true });
  supervise(plan, input, handedOver, pid);

  plan.place(orphaned);
  plan.call('unlinkat', [AT_FDCWD, input.supervision.socketName, 0], 'remove the socket', { ignore: true });
  plan.pseudo('fail', [ERRNO.EPIPE], 'find the agent');
  return joiner;
}

/** Those that the joiner joins by. */
function pidfdsOf({ network, shared }: LaunchInput): number[] {
  return [network.kind === 'join' ? network.pidfd : undefined, shared?.join?.pidfd].filter((fd) => fd !== undefined);
}

/**
 * The next agent looks for sockets once, when it begins. So a monitor whose agent is gone by now neither takes the name
 * from what that one may have started already, nor stays with a socket that came too late to be seen.
 */
function listen(plan: LaunchPlan, { socketFolder, socketName }: SupervisionInput, orphaned: Label): void {
  checkAgent(plan);
  plan.call('chdir', [socketFolder], `enter ${socketFolder}`);
  const socket = plan.call('socket', [AF_UNIX, SOCK.STREAM | SOCK.CLOEXEC, 0], 'make a socket');
  plan.call('dup3', [socket, FD.listen, O.CLOEXEC], 'move the socket');
  plan.call('close', [socket], 'close the socket');
  const address = unixAddress(socketName);
  plan.call('unlinkat', [AT_FDCWD, socketName, 0], 'remove the old socket', { ignore: true });
  plan.call('bind', [FD.listen, address, address.length], `make the socket ${socketFolder}/${socketName}`);
  plan.call('listen', [FD.listen, 16], 'listen');
  checkAgent(plan, orphaned);
  plan.call('chdir', ['/'], 'enter /');
}

/** Nothing, sent to a stream socket whose other end is closed, is EPIPE all the same (send(2)). */
function checkAgent(plan: LaunchPlan, orphaned?: Label): void {
  const options = orphaned === undefined ? {} : { otherwise: orphaned };
  plan.call('sendto', [STATUS_FD, 0, 0, MSG_NOSIGNAL, 0, 0], 'find the agent', options);
}

/** Makes a pipe with its ends at fixed fds. */
function openPipe(plan: LaunchPlan, read: number, write: number): void {
  const ends = plan.room(8, 'pipe');
  plan.call('pipe2', [ends, O.CLOEXEC], 'make a pipe');
  for (const [offset, to] of [
    [0, read],
    [4, write],
  ] as const) {
    plan.call('dup3', [new Load32(ends, offset), to, O.CLOEXEC], 'move a pipe');
    plan.call('close', [new Load32(ends, offset)], 'close a pipe');
  }
}

/** Returns the fds that agents and clients get: stdout, stderr, and stdin where it is kept open. */
function openPipes(plan: LaunchPlan, openStdin: boolean): number[] {
  if (openStdin) {
    openPipe(plan, FD.stdinRead, FD.stdinWrite);
  } else {
    const empty = plan.call('openat', [AT_FDCWD, '/dev/null', O.RDONLY | O.CLOEXEC, 0], 'open /dev/null');
    plan.call('dup3', [empty, FD.stdinRead, O.CLOEXEC], 'move /dev/null');
    plan.call('close', [empty], 'close /dev/null');
  }
  openPipe(plan, FD.stdoutRead, FD.stdoutWrite);
  openPipe(plan, FD.stderrRead, FD.stderrWrite);
  return [FD.stdoutRead, FD.stderrRead, ...(openStdin ? [FD.stdinWrite] : [])];
}

/**
 * Returns the fds that agents and clients get: the master, and both ends of a pipe through which the agent moves the
 * output into the log. The pipe is kept here, so that nothing in it is lost with the agent.
 */
function openTerminalPipe(plan: LaunchPlan): number[] {
  openTerminalChannel(plan);
  openPipe(plan, FD.stdoutRead, FD.stdoutWrite);
  return [FD.master, FD.stdoutRead, FD.stdoutWrite];
}

/** A socket pair on which the process that makes the terminal sends its master. */
export function openTerminalChannel(plan: LaunchPlan): void {
  const pair = plan.room(8, 'socket pair');
  plan.call('socketpair', [AF_UNIX, SOCK.STREAM | SOCK.CLOEXEC, 0, pair], 'make a socket pair');
  plan.call('dup3', [new Load32(pair, 0), FD.masterSend, O.CLOEXEC], 'move a socket');
  plan.call('dup3', [new Load32(pair, 4), FD.masterReceive, O.CLOEXEC], 'move a socket');
  plan.call('close', [new Load32(pair, 0)], 'close a socket');
  plan.call('close', [new Load32(pair, 4)], 'close a socket');
}

/** Receives it at FD.master. */
export function receiveMaster(plan: LaunchPlan): void {
  const { header, control, fdOffset } = fdMessage(-1);
  plan.call('close', [FD.masterSend], "close the container's socket");
  // End of file here means that the container failed before it had a terminal; it has reported why.
  plan.call('recvmsg', [FD.masterReceive, header, MSG_CMSG_CLOEXEC], 'receive the terminal', {
    nonzero: true,
  });
  plan.call('dup3', [new Load32(control, fdOffset), FD.master, O.CLOEXEC], 'move the terminal');
  plan.call('close', [new Load32(control, fdOffset)], 'close the terminal');
}

function supervise(
  plan: LaunchPlan,
  { openStdin, spec, supervision }: LaunchInput,
  handedOver: number[],
  joiner: Result,
): void {
  const { exitPath, exitTemporary, agentLock, agentArgv, agentEnv } = supervision;
  const bytes = Buffer.alloc(SUPERVISION.size);
  bytes.writeBigInt64LE(BigInt(FD.listen), SUPERVISION.listenFd);
  bytes.writeBigInt64LE(
    openStdin && spec.process?.terminal !== true ? BigInt(FD.stdinWrite) : -1n,
    SUPERVISION.stdinFd,
  );
  bytes.writeBigUInt64LE(BigInt(handedOver.length), SUPERVISION.fdCount);
  for (const [i, fd] of handedOver.entries()) bytes.writeInt32LE(fd, SUPERVISION.fds + 4 * i);
  const pointers = new Map([
    [SUPERVISION.exitPath, plan.string(exitPath)],
    [SUPERVISION.exitTemporary, plan.string(exitTemporary)],
    [SUPERVISION.lockPath, plan.string(agentLock)],
    [SUPERVISION.agent, plan.string(agentArgv[0]!)],
    [SUPERVISION.agentArgv, plan.strings(agentArgv, 'agent arguments')],
    [SUPERVISION.agentEnvp, plan.strings(agentEnv, 'agent environment')],
  ]);
  plan.pseudo('supervise', [new Slot(bytes, 'supervision', pointers), joiner], 'supervise the container');
}
