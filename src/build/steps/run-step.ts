/** RUN: a program in a container, and what it has written as a layer. */
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { openRequest } from '../../agent/client.ts';
import type { StepMount, StepRequest } from '../../engine/build-step.ts';
import { RUNTIME_MOUNT_POINTS } from '../../storage/read-layer.ts';
import { writableLayer } from '../../storage/probe.ts';
import { makePipe } from '../../sys/pipe.ts';
import type { StepLayer } from '../cache/step-cache.ts';
import type { StepEvents } from '../display/progress.ts';
import type { BuildSession } from '../session.ts';
import { stepTree, type ChainLayer } from '../source/layer-chain.ts';

export interface RunInput {
  readonly layers: readonly ChainLayer[];
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly user: string;
  readonly workdir: string;
  readonly network: StepRequest['network'];
  readonly privileged: boolean;
  readonly mounts: readonly StepMount[];
}

/** The program ended with a code that is not 0. */
export class RunFailure extends Error {
  readonly exitCode: number;

  constructor(args: readonly string[], exitCode: number) {
    super(`process "${args.join(' ')}" did not complete successfully: exit code: ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/**
 * Runs the program and stores its layer; undefined where it has changed nothing. What is left of the writable layer lies in
 * the build's folder until the build ends. Throws a RunFailure.
 */
export async function runStep(
  session: BuildSession,
  input: RunInput,
  events: StepEvents,
): Promise<StepLayer | undefined> {
  const { paths, store, holder, writable, request } = session;
  const id = randomBytes(32).toString('hex');
  const folder = join(session.folder, id);
  const layer = writableLayer(writable);
  mkdirSync(join(folder, 'root'), { recursive: true, mode: 0o700 });
  layer.create(folder);
  const tree = stepTree(store, input.layers);
  const lower = {
    key: tree.key,
    content: { kind: 'tree', index: tree.index, files: store.filesDir, owner: holder.map.kind === 'single' },
  } as const;
  using reader = layer.prepareStore(
    { paths, holder, id, folder, lower, mountPoints: mountPoints(input) },
    { root: store.layout.root, consume: true },
  );
  const exitCode = await runProgram(session, events, {
    ...{ id, folder, writable, tree, filesFolder: store.filesDir },
    args: input.args,
    env: input.env,
    user: input.user,
    workdir: input.workdir,
    network: input.network,
    privileged: input.privileged,
    extraHosts: request.extraHosts,
    options: {
      ulimits: request.ulimits,
      ...(request.shmSize === undefined ? {} : { shmSize: request.shmSize }),
    },
    mounts: input.mounts,
  });
  if (exitCode !== 0) throw new RunFailure(input.args, exitCode);
  const stored = await reader.store();
  return stored.entries === 0 ? undefined : stored;
}

/** Everything that the runtime may have made to mount something on. */
function mountPoints({ mounts }: RunInput): string[] {
  const points = new Set(RUNTIME_MOUNT_POINTS);
  for (const mount of mounts) {
    const target = mount.kind === 'plain' ? mount.mount.destination : mount.target;
    const names = target.split('/').filter((name) => name !== '');
    for (let depth = 1; depth <= names.length; depth++) points.add(names.slice(0, depth).join('/'));
  }
  return [...points];
}

async function runProgram({ paths, signal }: BuildSession, events: StepEvents, request: StepRequest): Promise<number> {
  const stdin = openSync('/dev/null', 'r');
  const [outRead, outWrite] = makePipe();
  const [errRead, errWrite] = makePipe();
  const outputs = [carry(outRead, 1, events), carry(errRead, 2, events)];
  const theirs = [stdin, outWrite, errWrite];
  try {
    const answer = await openRequest(paths, 'buildStep', request, theirs);
    for (const fd of theirs.splice(0)) closeSync(fd);
    // The agent ends the step when it sees nobody waiting for it.
    function stop(): void {
      void answer.close();
    }
    signal.addEventListener('abort', stop, { once: true });
    try {
      const { exitCode } = await answer.next();
      await answer.close();
      await Promise.all(outputs);
      return exitCode ?? 137;
    } finally {
      signal.removeEventListener('abort', stop);
    }
  } finally {
    for (const fd of theirs) closeSync(fd);
  }
}

async function carry(fd: number, stream: 1 | 2, events: StepEvents): Promise<void> {
  const pipe = new Socket({ fd, writable: false });
  pipe.on('data', (data: Buffer) => events.output(stream, data));
  await finished(pipe, { writable: false }).catch(() => undefined);
}
