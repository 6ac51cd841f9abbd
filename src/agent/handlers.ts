/** What each request does: decode, call the engine, answer. */
import { bootContainers } from '../engine/boot.ts';
import { recordContainerEvent } from '../engine/container-event.ts';
import { runBuildStep } from '../engine/build-step.ts';
import { createWarnings } from '../engine/check-networks.ts';
import { createContainer } from '../engine/create.ts';
import { findContainer, readContainer } from '../engine/container.ts';
import type { EngineContext } from '../engine/context.ts';
import { dryRun } from '../engine/dry-run.ts';
import { EngineError } from '../engine/engine-error.ts';
import { execInContainer, type ExecFds } from '../engine/exec.ts';
import { imageMountKey } from '../engine/lower.ts';
import {
  connectNetwork,
  createNetwork,
  disconnectNetwork,
  removeNetwork,
  renameContainer,
  limitTraffic,
  networkFlows,
} from '../engine/networks.ts';
import { pauseContainer, unpauseContainer } from '../engine/pause.ts';
import { removeContainer } from '../engine/remove.ts';
import type { ConsoleSize, RequestName, Requests, Started } from '../engine/requests.ts';
import { startContainer } from '../engine/start.ts';
import { awaitEnd, killContainer, signalNumber, stopContainer } from '../engine/stop.ts';
import { updateContainer } from '../engine/update.ts';
import { createVolume, removeVolume } from '../engine/volumes.ts';
import { removeLower } from '../storage/plain-copy.ts';
import packageJson from '../../package.json' with { type: 'json' };

export interface Connection {
  /** What came with the request. They are closed when it has been answered. */
  readonly fds: readonly number[];
  /** Sends a line. */
  say(value: unknown): void;
  /** The client has gone. */
  readonly closed: Promise<void>;
}

export type AnyRequest = { [Name in RequestName]: { method: Name; params: Requests[Name]['params'] } }[RequestName];

type Handler<Name extends RequestName> = (
  context: EngineContext,
  params: Requests[Name]['params'],
  connection: Connection,
) => Promise<void>;

export const handlers: { readonly [Name in RequestName]: Handler<Name> } = {
  async create(context, { request }, connection) {
    const { config } = await createContainer(context, request);
    connection.say({ result: { id: config.id, warnings: createWarnings(request) } });
  },

  async run(context, { request, consoleSize, wait }, connection) {
    const { config } = await createContainer(context, request);
    try {
      await startAndWait(context, config.id, { consoleSize, wait, warnings: createWarnings(request) }, connection);
    } catch (error) {
      if (request.autoRemove) await removeContainer(context, config.id, { force: true, volumes: true });
      throw error;
    }
  },

  async dryRun(context, { request }, connection) {
    connection.say({ result: await dryRun(context, request) });
  },

  async start(context, { container, consoleSize, wait }, connection) {
    await startAndWait(context, findContainer(context.paths, container).config.id, { consoleSize, wait }, connection);
  },

  async stop(context, { container, ...options }, connection) {
    await stopContainer(context, findContainer(context.paths, container).config.id, options);
    connection.say({ result: {} });
  },

  async restart(context, { container, ...options }, connection) {
    const { config } = findContainer(context.paths, container);
    await stopContainer(context, config.id, options);
    await startContainer(context, config.id);
    recordContainerEvent(context, config, 'restart');
    connection.say({ result: {} });
  },

  async kill(context, { container, signal }, connection) {
    await killContainer(context, findContainer(context.paths, container).config.id, signalNumber(signal));
    connection.say({ result: {} });
  },

  async pause(context, { container }, connection) {
    await pauseContainer(context, findContainer(context.paths, container).config.id);
    connection.say({ result: {} });
  },

  async unpause(context, { container }, connection) {
    await unpauseContainer(context, findContainer(context.paths, container).config.id);
    connection.say({ result: {} });
  },

  async update(context, { container, update }, connection) {
    await updateContainer(context, findContainer(context.paths, container).config.id, update);
    connection.say({ result: {} });
  },

  async boot(context, _params, connection) {
    connection.say({ result: await bootContainers(context) });
  },

  async remove(context, { container, force, volumes }, connection) {
    await removeContainer(context, findContainer(context.paths, container).config.id, { force, volumes });
    connection.say({ result: {} });
  },

  async rename(context, { container, name }, connection) {
    await renameContainer(context, container, name);
    connection.say({ result: {} });
  },

  async wait(context, { container, condition }, connection) {
    const ended = awaitEnd(context, findContainer(context.paths, container).config.id, condition);
    // A client that has gone must not keep its connection open here until the container ends.
    const exitCode = await Promise.race([ended, connection.closed]);
    if (exitCode !== undefined) connection.say({ result: { exitCode } });
  },

  async exec(context, request, connection) {
    if (connection.fds.length !== 4) throw new EngineError('INVALID', 'exec comes with four file descriptors');
    await execInContainer(context, request, connection.fds as unknown as ExecFds);
    connection.say({ result: {} });
  },

  async buildStep(context, request, connection) {
    const [stdin, stdout, stderr] = connection.fds;
    if (stderr === undefined) throw new EngineError('INVALID', 'buildStep comes with three file descriptors');
    // At once: whoever has asked ends the step by closing its connection.
    connection.say({ result: {} });
    const exitCode = await runBuildStep(context, request, [stdin!, stdout!, stderr], connection.closed);
    connection.say({ exitCode });
  },

  createVolume(context, params, connection) {
    connection.say({ result: { name: createVolume(context.paths, params).name } });
    return Promise.resolve();
  },

  async removeVolume(context, { name, force }, connection) {
    await removeVolume(context.paths, await context.holder(), name, force);
    connection.say({ result: {} });
  },

  async createNetwork(context, { request }, connection) {
    connection.say({ result: await createNetwork(context, request) });
  },

  async removeNetwork(context, { name, force }, connection) {
    await removeNetwork(context, name, force);
    connection.say({ result: {} });
  },

  async connectNetwork(context, { container, attachment }, connection) {
    await connectNetwork(context, container, attachment);
    connection.say({ result: {} });
  },

  async disconnectNetwork(context, { network, container, force }, connection) {
    await disconnectNetwork(context, network, container, force);
    connection.say({ result: {} });
  },

  async networkFlows(context, _params, connection) {
    connection.say({ result: { networks: await networkFlows(context) } });
  },

  async limitTraffic(context, { container, changes }, connection) {
    await limitTraffic(context, container, changes);
    connection.say({ result: {} });
  },

  async forgetImage(context, { manifest }, connection) {
    await removeLower(context.paths, () => context.holder(), imageMountKey(manifest));
    connection.say({ result: {} });
  },

  status(context, _params, connection) {
    connection.say({ result: { pid: process.pid, version: packageJson.version, running: context.running.size } });
    return Promise.resolve();
  },
};

/** Of a container that has ended before anybody could wait for it. */
function lastExit({ paths }: EngineContext, id: string): number {
  return readContainer(paths, id)?.state.exitCode ?? 0;
}

interface StartChoices {
  readonly consoleSize?: ConsoleSize | undefined;
  readonly wait: boolean;
  /** What has been found when it was made. */
  readonly warnings?: readonly string[];
}

async function startAndWait(
  context: EngineContext,
  id: string,
  { consoleSize, wait, warnings = [] }: StartChoices,
  connection: Connection,
): Promise<void> {
  async function start(): Promise<Started> {
    const started = await startContainer(context, id, consoleSize);
    return { ...started, warnings: [...warnings, ...started.warnings] };
  }
  if (!wait) return connection.say({ result: await start() });
  const letGo = connection.closed.finally(() => context.attended.delete(id));
  context.attended.set(id, letGo);
  const started = await start();
  const ended = context.running.has(id) ? awaitEnd(context, id, 'next-exit') : lastExit(context, id);
  connection.say({ result: started });
  connection.say({ exitCode: await ended });
  await letGo;
  // With the connection's end the client knows that the container's name is free again.
  await context.removals.get(id);
}
