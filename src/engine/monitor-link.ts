/** Talking to a container's monitor over its socket (monitor.c, supervise). */
import { closeSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { StatePaths } from '../state/paths.ts';
import { socketAddress } from '../state/socket-address.ts';
import { receiveWithFds } from '../sys/fd-passing.ts';
import { connectUnix } from '../sys/unix-connect.ts';

/** The folder of the monitors' sockets, and the name of a container's. */
export function monitorSocket(paths: StatePaths, id: string): { folder: string; name: string } {
  return { folder: join(paths.run, 'monitors'), name: id.slice(0, 24) };
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
  const connection = connectMonitor(paths, id);
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

/** Closes the container's stdin for good. */
export function closeContainerStdin(paths: StatePaths, id: string): void {
  const connection = connectMonitor(paths, id);
  try {
    writeSync(connection, 'E');
  } finally {
    closeSync(connection);
  }
}

function connectMonitor(paths: StatePaths, id: string): number {
  const { folder, name } = monitorSocket(paths, id);
  using address = socketAddress(join(folder, name));
  return connectUnix(address.path, PATIENCE);
}
