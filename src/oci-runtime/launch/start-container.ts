/** `start`: gives a created container the word, and waits until its program runs. */
import { closeSync, rmSync, writeSync } from 'node:fs';
import { errorCode } from '../../base/error-code.ts';
import { LaunchError } from '../../monitor/start.ts';
import { RecordReader } from '../../monitor/spawn-plan.ts';
import { socketAddress } from '../../state/socket-address.ts';
import { connectUnix } from '../../sys/unix-connect.ts';
import { type ContainerFolder, type ContainerRecord, statusOf } from '../container-record.ts';
import { killQuietly } from '../kill-quietly.ts';
import { log } from '../log.ts';
import { RuntimeError } from '../runtime-error.ts';
import { awaitReady, openNotify } from './notify-socket.ts';

/** More than a program takes to be executed, on the slowest of file systems. */
const PATIENCE_MS = 120_000;

export async function startContainer(folder: ContainerFolder, record: ContainerRecord): Promise<void> {
  const status = statusOf(folder, record);
  if (status === 'stopped') throw new RuntimeError('cannot start a container that has stopped');
  if (status === 'running') throw new RuntimeError('cannot start an already running container');
  if (status !== 'created') throw new RuntimeError('cannot start a container that has not been created to the end');
  if (!record.hasProcess) throw new RuntimeError('cannot start a container without a process: config.json has none');
  const notify = openNotify(folder, record);
  const connection = connect(folder);
  try {
    const { hooks } = record;
    if ((hooks.startContainer ?? []).length > 0) {
      const { runHooksInside } = await import('./hooks.ts');
      runHooksInside(hooks, 'startContainer', hookState(record, 'created'), record.namespaces);
    }
    writeSync(connection, 'g');
    // The program's start closes the container's end.
    const { startsAt, startActions } = record;
    const action = (index: number): string => startActions[index - startsAt] ?? 'start the container';
    while (new RecordReader({ action }, connection).next() !== undefined);
  } catch (error) {
    killQuietly(record.init!.pid);
    if (error instanceof LaunchError) {
      const { executionFailure } = await import('./launch-failure.ts');
      const name = /^execute (.*)$/.exec(error.action)?.[1];
      throw executionFailure(error, name === undefined ? undefined : { user: { uid: 0, gid: 0 }, args: [name], cwd: '/' });
    }
    throw error;
  } finally {
    closeSync(connection);
  }
  rmSync(folder.startSocket, { force: true });
  if ((record.hooks.poststart ?? []).length > 0) {
    const { tryHooks } = await import('./hooks.ts');
    for (const message of tryHooks(record.hooks, 'poststart', hookState(record, 'running'))) log('warning', message);
  }
  if (notify !== undefined) awaitReady(notify, record);
}

function connect(folder: ContainerFolder): number {
  using address = socketAddress(folder.startSocket);
  try {
    return connectUnix(address.path, PATIENCE_MS);
  } catch (error) {
    if (errorCode(error) !== 'ECONNREFUSED') throw error;
    // Whoever started it was killed before it could take the socket away.
    rmSync(folder.startSocket, { force: true });
    throw new RuntimeError('cannot start an already running container');
  }
}

export function hookState(record: ContainerRecord, status: 'created' | 'running' | 'stopped') {
  const { ociVersion, id, bundle, annotations, init } = record;
  return { ociVersion, id, status, bundle, annotations, pid: status === 'stopped' ? 0 : (init?.pid ?? 0) };
}
