/** Talking to a container's monitor over its socket (monitor.c, supervise). */
import { closeSync, existsSync, readdirSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../base/error-code.ts';
import type { StatePaths } from '../state/paths.ts';
import { socketAddress } from '../state/socket-address.ts';
import { receiveWithFds } from '../sys/fd-passing.ts';
import { connectUnix } from '../sys/unix-connect.ts';

/** The folder of the monitors' sockets, and the name of a container's. */
export function monitorSocket(paths: StatePaths, id: string): { folder: string; name: string } {
  return { folder: monitorsFolder(paths), name: id.slice(0, 24) };
}

/** The names of all sockets there are. */
export function listMonitorSockets(paths: StatePaths): string[] {
  try {
    return readdirSync(monitorsFolder(paths));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

function monitorsFolder(paths: StatePaths): string {
  return join(paths.run, 'monitors');
}

/** Under this name a monitor waits whose container has ended and waits for its restart: the next one needs its own. */
export function retainedSocketName(id: string): string {
  return `${id.slice(0, 24)}.ended`;
}

export function forgetMonitorSocket(paths: StatePaths, id: string): void {
  rmSync(monitorSocketPath(paths, id), { force: true });
}

/** Makes room for the next monitor's socket. The one that is there stays reachable. */
export function retainMonitorSocket(paths: StatePaths, id: string): void {
  renameSync(monitorSocketPath(paths, id), join(monitorsFolder(paths), retainedSocketName(id)));
}

/**
 * Has the monitor of a container that waits for its restart wait for us. Returns what lets it go; undefined where there
 * is none, or it does not wait.
 */
export function takeRetainedMonitor(paths: StatePaths, id: string): (() => void) | undefined {
  const retained = join(monitorsFolder(paths), retainedSocketName(id));
  // An agent was killed between putting the wait on record and the renaming.
  if (!existsSync(retained) && existsSync(monitorSocketPath(paths, id))) retainMonitorSocket(paths, id);
  try {
    const { connection, fds } = takeFds(retained, 'agent');
    for (const fd of fds) closeSync(fd);
    return () => dismiss(connection, retained);
  } catch (error) {
    if (!isMonitorGone(error)) throw error;
    rmSync(retained, { force: true });
    return undefined;
  }
}

/** Tells an ended container's monitor to go. */
export function dismissRetained(paths: StatePaths, id: string, connection: number): void {
  dismiss(connection, join(monitorsFolder(paths), retainedSocketName(id)));
}

function dismiss(connection: number, socket: string): void {
  try {
    writeSync(connection, 'D');
  } catch (error) {
    if (!isMonitorGone(error)) throw error;
  } finally {
    closeSync(connection);
    rmSync(socket, { force: true });
  }
}

function monitorSocketPath(paths: StatePaths, id: string): string {
  const { folder, name } = monitorSocket(paths, id);
  return join(folder, name);
}

export interface MonitorFds {
  /** The connection. The agent keeps it: its end tells the monitor that the agent is gone, and the other way about. */
  readonly connection: number;
  /** PID 1 has ended already. */
  readonly exited: boolean;
  /** Without a terminal: stdout, stderr and, where it is open, stdin. With one: its master and both ends of a pipe. */
  readonly fds: readonly number[];
}

const PATIENCE = 5000;

/** Asks for the container's fds, as its agent or as a client. Throws ENOENT or ECONNREFUSED where there is no monitor. */
export function takeMonitorFds(paths: StatePaths, id: string, as: 'agent' | 'client'): MonitorFds {
  const { folder, name } = monitorSocket(paths, id);
  return takeFds(join(folder, name), as);
}

function takeFds(socket: string, as: 'agent' | 'client'): MonitorFds {
  const connection = connectMonitor(socket);
  try {
    writeSync(connection, as === 'agent' ? 'A' : 'C');
    const { data, fds } = receiveWithFds(connection, 1);
    if (data.length === 0)
      throw Object.assign(new Error('the monitor has closed the connection'), { code: 'ECONNRESET' });
    return { connection, exited: data.toString() === 'X', fds };
  } catch (error) {
    closeSync(connection);
    throw error;
  }
}

/** Whether an error of `takeMonitorFds` says that there is no monitor, rather than that it could not be asked. */
export function isMonitorGone(error: unknown): boolean {
  return ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(errorCode(error) ?? '');
}

/**
 * Lets a monitor go whose container is not on record as running: an agent was killed when it had just recorded the end,
 * or before it had recorded the start.
 */
export function dismissMonitor(paths: StatePaths, socketName: string): void {
  const socket = join(monitorsFolder(paths), socketName);
  try {
    const { connection, exited, fds } = takeFds(socket, 'agent');
    try {
      for (const fd of fds) closeSync(fd);
      // What has not been started ends with the agent that would have given it the word.
      if (!exited) readSync(connection, Buffer.alloc(1));
      writeSync(connection, 'D');
    } finally {
      closeSync(connection);
    }
  } catch (error) {
    if (!isMonitorGone(error)) throw error;
  }
  rmSync(socket, { force: true });
}

/** Closes the container's stdin for good. */
export function closeContainerStdin(paths: StatePaths, id: string): void {
  const { folder, name } = monitorSocket(paths, id);
  const connection = connectMonitor(join(folder, name));
  try {
    writeSync(connection, 'E');
  } finally {
    closeSync(connection);
  }
}

function connectMonitor(socket: string): number {
  using address = socketAddress(socket);
  return connectUnix(address.path, PATIENCE);
}
