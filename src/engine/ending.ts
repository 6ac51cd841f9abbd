/** What happens when a container ends, and taking over the containers of an agent that died. */
import { readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writableLayer } from '../storage/probe.ts';
import { isAlive } from '../sys/process-identity.ts';
import { listContainers, readContainer, type Container, type ContainerState } from './container.ts';
import { saveState, type EngineContext } from './context.ts';
import { removeCgroup } from './limits.ts';
import { removeContainer, sweepRemoved } from './remove.ts';
import { readExit, RunningContainer, type Exit } from './running-container.ts';

/** How long a container that removes itself stays for a client that lost its agent and has not asked for the code yet. */
const GRACE_AFTER_TAKEOVER = 3000;

/** Watches a running container; puts its end on record, and removes it where that was asked for. */
export function superviseContainer(
  context: EngineContext,
  container: Container,
  running: RunningContainer,
  takenOver = false,
): void {
  const { id } = container.config;
  context.running.set(id, running);
  void running.exited
    .then((exit) => context.exclusive(id, () => finish(context, id, exit)))
    .then(() => {
      context.running.delete(id);
      running.release();
      announce(context, id, takenOver);
    })
    .catch((error: unknown) => context.log(`${container.config.name}: ${(error as Error).stack ?? ''}`));
}

/** Tells who waits; they read the state from disk or get it with the event. Then `--rm` does its work. */
function announce(context: EngineContext, id: string, takenOver: boolean): void {
  const container = readContainer(context.paths, id);
  if (container === undefined) return;
  context.events.emit('ended', id, container.state);
  if (!container.config.request.autoRemove) return;
  const removal = removeUnattended(context, id, takenOver)
    .catch((error: unknown) => context.log(`${container.config.name}: ${(error as Error).message}`))
    .finally(() => context.removals.delete(id));
  context.removals.set(id, removal);
}

/** Whoever is attached reads the rest of the output first. */
async function removeUnattended(context: EngineContext, id: string, takenOver: boolean): Promise<void> {
  if (takenOver) await sleep(GRACE_AFTER_TAKEOVER);
  await context.attended.get(id);
  await removeContainer(context, id, { force: true, volumes: true });
}

async function finish(context: EngineContext, id: string, exit: Exit): Promise<void> {
  const { paths } = context;
  const container = readContainer(paths, id);
  if (container === undefined) return;
  const { folder, config, state } = container;
  const { starts, logStart, startedAt } = state;
  const { oomKilled } = state.cgroup === undefined ? { oomKilled: false } : await removeCgroup(state.cgroup);
  const finished: ContainerState = {
    status: 'exited',
    starts,
    logStart,
    ...(startedAt === undefined ? {} : { startedAt }),
    finishedAt: new Date().toISOString(),
    exitCode: exit.exitCode,
    oomKilled,
    ...(exit.error === undefined ? {} : { error: exit.error }),
  };
  saveState(container, finished);
  await leaveNetwork(context, container);
  await writableLayer(config.writable).release({ paths, holder: await context.holder(), id, folder });
}

async function leaveNetwork(context: EngineContext, { config }: Container): Promise<void> {
  const { network } = config.request;
  if (!network.startsWith('container:')) await (await context.networks()).driver(network).detach(config.id);
}

/**
 * Takes over what an earlier agent has left: running containers by their monitors' sockets, ended ones by the status
 * that their monitors wrote, half-made and half-removed ones by removing them.
 */
export async function adoptContainers(context: EngineContext): Promise<void> {
  const { paths } = context;
  for (const name of readdirSync(paths.containers)) {
    if (name.startsWith('new-') || name.startsWith('probe-'))
      renameSync(join(paths.containers, name), join(paths.containers, `removed-${name}`));
  }
  await sweepRemoved(context);
  for (const container of listContainers(paths)) {
    if (container.state.status === 'running') await adopt(context, container);
    else if (container.config.request.autoRemove && container.state.status === 'exited')
      announce(context, container.config.id, true);
  }
  await recoverNetworks(context);
}

async function adopt(context: EngineContext, container: Container): Promise<void> {
  const { paths, poller } = context;
  const { config, folder, state } = container;
  const { id, name, request } = config;
  try {
    const terminal = request.options.tty === true;
    const running = new RunningContainer({
      paths,
      poller,
      id,
      folder,
      terminal,
      report: (problem) => context.log(`${name}: ${problem}`),
    });
    superviseContainer(context, container, running, true);
  } catch {
    // No monitor: it and its container ended while nobody looked, or the machine was rebooted.
    if (isAlive(state.process)) process.kill(state.process.pid, 'SIGKILL');
    rmSync(join(folder, 'exit.tmp'), { force: true });
    await context.exclusive(id, () => finish(context, id, readExit(folder)));
    announce(context, id, true);
  }
}

async function recoverNetworks(context: EngineContext): Promise<void> {
  const containers = new Map<string, Map<string, boolean>>();
  for (const { config, state } of listContainers(context.paths)) {
    const { network } = config.request;
    if (network.startsWith('container:')) continue;
    const members = containers.get(network) ?? new Map<string, boolean>();
    containers.set(network, members.set(config.id, state.status === 'running'));
  }
  if (containers.size === 0) return;
  const networks = await context.networks();
  for (const [network, members] of containers) {
    try {
      await networks.driver(network).recover(members);
    } catch (error) {
      context.log(`network ${network}: ${(error as Error).message}`);
    }
  }
}
