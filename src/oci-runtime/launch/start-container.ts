/** `start`: gives a created container the word, and waits until its program runs. */
import { closeSync, rmSync, writeSync } from 'node:fs';
import { errorCode } from '../../base/error-code.ts';
import { decodeRecord, LaunchError } from '../../monitor/record.ts';
import { RecordReader } from '../../monitor/spawn-plan.ts';
import { socketAddress } from '../../state/socket-address.ts';
import { connectUnix } from '../../sys/unix-connect.ts';
import { type ContainerFolder, type ContainerRecord, statusOf } from '../container-record.ts';
import { killQuietly } from '../kill-quietly.ts';
import { log } from '../log.ts';
import { RuntimeError } from '../runtime-error.ts';
import { executionFailure } from './launch-failure.ts';
import { awaitReady, openNotify } from './notify-socket.ts';

/** More than a program takes to be executed, on the slowest of file systems. */
const PATIENCE_MS = 120_000;

export async function startContainer(folder: ContainerFolder, record: ContainerRecord): Promise<void> {
  const failure = folder.startFailure();
  if (failure !== undefined) reportFailure(failure, record);
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
    while (new RecordReader(actionsOf(record), connection).next() !== undefined);
  } catch (error) {
    killQuietly(record.init!.pid);
    throw error instanceof LaunchError ? executionFailure(error) : error;
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

/** Operations by their index in the plan that the container executes. */
function actionsOf({ startsAt, startActions }: ContainerRecord): { action: (index: number) => string } {
  return { action: (index) => startActions[index - startsAt] ?? 'start the container' };
}

/** What the container has said when the launcher gave it the word. */
function reportFailure(failure: Buffer, record: ContainerRecord): never {
  try {
    decodeRecord(actionsOf(record), failure);
  } catch (error) {
    throw error instanceof LaunchError ? executionFailure(error) : error;
  }
  throw new RuntimeError('the container could not be started');
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
