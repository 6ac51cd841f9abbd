/**
 * sd_notify(3) for containers: the program inside is given a socket of the container's own at /run/notify, and when it
 * says that it is ready, the caller's service manager is told, with the pid that it knows.
 */
import { chmodSync, closeSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../base/error-code.ts';
import type { RuntimeSpec } from '../../oci/runtime-spec.ts';
import { isAlive } from '../../sys/process-identity.ts';
import { bindDatagram, receiveDatagram, sendDatagram } from '../../sys/unix-datagram.ts';
import type { ContainerFolder, ContainerRecord } from '../container-record.ts';

const INSIDE = '/run/notify';
const NAME = 'notify.sock';
/** How often the container is looked at, should it end without a word. */
const PATIENCE_MS = 100;
/** A datagram is a few lines. */
const DATAGRAM = 4096;

export interface Notify {
  readonly spec: RuntimeSpec;
  readonly socket: string;
}

/** Adds what the container needs to its spec; undefined where the caller has no service manager to tell. */
export function prepareNotify(
  folder: ContainerFolder,
  spec: RuntimeSpec,
  { NOTIFY_SOCKET: socket }: Readonly<NodeJS.ProcessEnv>,
): Notify | undefined {
  if (socket === undefined || socket === '' || spec.process === undefined) return undefined;
  const source = notifyFolder(folder);
  mkdirSync(source, { mode: 0o755 });
  const { env = [], ...process } = spec.process;
  return {
    socket,
    spec: {
      ...spec,
      process: { ...process, env: [...env, `NOTIFY_SOCKET=${INSIDE}/${NAME}`] },
      mounts: [
        ...(spec.mounts ?? []),
        { destination: INSIDE, type: 'bind', source, options: ['bind', 'nosuid', 'noexec', 'nodev'] },
      ],
    },
  };
}

/** Opens the socket before the container starts; undefined where it has none. */
export function openNotify(folder: ContainerFolder, record: ContainerRecord): number | undefined {
  if (record.notifySocket === undefined) return undefined;
  const path = join(notifyFolder(folder), NAME);
  const socket = bindDatagram(path, PATIENCE_MS);
  // Whoever the program inside is.
  chmodSync(path, 0o777);
  return socket;
}

/** Waits until the container says that it is ready, and passes it on; or until it ends. */
export function awaitReady(socket: number, { init, notifySocket = '' }: ContainerRecord): void {
  try {
    while (isAlive(init)) {
      const lines = receive(socket)?.split('\n') ?? [];
      if (!lines.some((line) => line.startsWith('READY='))) continue;
      sendDatagram(notifySocket, Buffer.from(`MAINPID=${init.pid}\nREADY=1\n`));
      return;
    }
  } finally {
    closeSync(socket);
  }
}

function receive(socket: number): string | undefined {
  try {
    return receiveDatagram(socket, DATAGRAM).toString('utf8');
  } catch (error) {
    if (errorCode(error) === 'EAGAIN') return undefined;
    throw error;
  }
}

function notifyFolder(folder: ContainerFolder): string {
  return join(folder.path, 'notify');
}
