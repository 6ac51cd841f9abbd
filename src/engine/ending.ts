/** What happens when a container ends, and taking over the containers of an agent that died. */
import { readdirSync, renameSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { writableLayer } from '../storage/probe.ts';
import { signalProcess } from '../sys/signal-process.ts';
import { listContainers, logLimits, readContainer, type Container, type ContainerState } from './container.ts';
import { attachmentsOf } from './attachments.ts';
import { recordContainerEvent } from './container-event.ts';
import { saveState, type EngineContext } from './context.ts';
import { stopHealthChecks, watchHealth } from './health-monitor.ts';
import { removeCgroup } from './limits.ts';
import {
  dismissMonitor,
  isMonitorGone,
  listMonitorSockets,
  monitorSocket,
  retainedSocketName,
  takeRetainedMonitor,
} from './monitor-link.ts';
import { recordMembership } from './network-event.ts';
import { leaveNetworks, recoverNetworks } from './networking.ts';
import { removeContainer, sweepRemoved } from './remove.ts';
import { restartDelay, restartsAfter } from './restart-policy.ts';
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
  watchHealth(context, container, takenOver);
  void running.exited
    .then((exit) =>
      context.exclusive(id, async () => {
        const state = await finish(context, id, exit);
        context.running.delete(id);
        return state;
      }),
    )
    .then((state) => {
      if (state.status === 'restarting') context.restarts.schedule(id, dueTime(state), retain(context, running));
      else running.release();
      announce(context, id, state, takenOver);
    })
    .catch((error: unknown) => context.log(`${container.config.name}: ${(error as Error).stack ?? ''}`));
}

/** A container that waits for its restart has its monitor wait, too: it brings up the next agent. */
function retain(context: EngineContext, running: RunningContainer): () => void {
  try {
    return running.retain();
  } catch (error) {
    context.log(`a monitor cannot be kept: ${(error as Error).message}`);
    running.release();
    return () => undefined;
  }
}

function dueTime({ restarts }: ContainerState): number {
  return Date.parse(restarts?.due ?? '') || Date.now();
}

/** Tells who waits; they read the state from disk or get it with the event. Then `--rm` does its work. */
function announce(context: EngineContext, id: string, state: ContainerState, takenOver: boolean): void {
  context.events.emit('ended', id, state);
  const container = readContainer(context.paths, id);
  if (state.status === 'restarting' || container?.config.request.autoRemove !== true) return;
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

/**
 * Puts the end on record and takes away what the start has set up. Whatever of that fails, a full disk, say, is told in
 * the agent's log, and the rest is done: somebody waits for this.
 */
async function finish(context: EngineContext, id: string, exit: Exit): Promise<ContainerState> {
  const { paths } = context;
  stopHealthChecks(context, id);
  const container = readContainer(paths, id);
  const { starts, logStart, startedAt, cgroup, process: first } = container?.state ?? { starts: 0, logStart: 0 };
  async function attempt(action: string, work: () => unknown): Promise<void> {
    try {
      await work();
    } catch (error) {
      context.log(`${container?.config.name ?? id}: cannot ${action}: ${(error as Error).message}`);
    }
  }
  if (exit.error !== undefined && first !== undefined) {
    await attempt('kill what has outlived its monitor', () => signalProcess(first, constants.signals.SIGKILL));
  }
  let oomKilled = false;
  if (cgroup !== undefined) {
    await attempt('remove its cgroup', async () => ({ oomKilled } = await removeCgroup(cgroup)));
  }
  const finishedAt = new Date();
  const finished: ContainerState = {
    ...nextStep(readContainer(paths, id), exit.exitCode, finishedAt),
    starts,
    logStart,
    ...(startedAt === undefined ? {} : { startedAt }),
    finishedAt: finishedAt.toISOString(),
    exitCode: exit.exitCode,
    oomKilled,
    ...(exit.error === undefined ? {} : { error: exit.error }),
  };
  if (container === undefined) return finished;
  const { folder, config } = container;
  await attempt('put its end on record', () => saveState(container, finished));
  if (finished.oomKilled === true) recordContainerEvent(context, config, 'oom');
  const seconds = startedAt === undefined ? 0 : Math.floor((finishedAt.getTime() - Date.parse(startedAt)) / 1000);
  recordContainerEvent(context, config, 'die', { exitCode: String(exit.exitCode), execDuration: String(seconds) });
  await attempt('leave its network', () => leaveNetworks(context, container));
  for (const { network } of attachmentsOf(config)) recordMembership(context, id, network, 'disconnect');
  await attempt('release its file system', async () =>
    writableLayer(config.writable).release({ paths, holder: await context.holder(), id, folder }),
  );
  return finished;
}

/** Whether the container has come to rest or will be started again: read at the last moment, for it may be stopped now. */
function nextStep(
  container: Container | undefined,
  exitCode: number,
  now: Date,
): Pick<ContainerState, 'status' | 'restarts' | 'isStopped'> {
  if (container === undefined) return { status: 'exited' };
  const { restarts, startedAt, isStopped = false } = container.state;
  const count = restarts?.count ?? 0;
  if (!restartsAfter(container.config.request.restart, { exitCode, isStopped, restarts: count })) {
    return { status: 'exited', ...(restarts === undefined ? {} : { restarts }), ...(isStopped ? { isStopped } : {}) };
  }
  const lasted = now.getTime() - Date.parse(startedAt ?? now.toISOString());
  const delay = restartDelay(restarts?.delay, lasted);
  const due = new Date(now.getTime() + delay).toISOString();
  return { status: 'restarting', restarts: { count: count + 1, delay, due } };
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
  await sweepRemoved(context).catch((error: unknown) => context.log(`removal: ${(error as Error).message}`));
  for (const container of listContainers(paths)) {
    const { config, state } = container;
    try {
      if (state.status === 'running') await adopt(context, container);
      else if (state.status === 'restarting') resumeRestart(context, config.id, state);
      else if (config.request.autoRemove && state.status === 'exited') announce(context, config.id, state, true);
    } catch (error) {
      context.log(`${config.name}: cannot take it over: ${(error as Error).message}`);
    }
  }
  dismissMonitors(context);
  await recoverNetworks(context).catch((error: unknown) => context.log(`networks: ${(error as Error).message}`));
}

async function adopt(context: EngineContext, container: Container): Promise<void> {
  const { paths, poller } = context;
  const { config, folder } = container;
  const { id, name, request } = config;
  let running;
  try {
    running = new RunningContainer({
      paths,
      poller,
      id,
      folder,
      terminal: request.options.tty === true,
      log: logLimits(config),
      report: (problem) => context.log(`${name}: ${problem}`),
    });
  } catch (error) {
    if (!isMonitorGone(error)) throw error;
    // It and its container ended while nobody looked, or the machine was rebooted.
    const state = await context.exclusive(id, () => finish(context, id, readExit(folder)));
    if (state.status === 'restarting') resumeRestart(context, id, state);
    return announce(context, id, state, true);
  }
  superviseContainer(context, container, running, true);
}

function resumeRestart(context: EngineContext, id: string, state: ContainerState): void {
  const letGo = takeRetainedMonitor(context.paths, id);
  context.restarts.schedule(id, dueTime(state), letGo ?? (() => undefined));
}

/** Monitors that wait for an agent to take what nobody asks for any more. */
function dismissMonitors(context: EngineContext): void {
  const wanted = new Set(
    listContainers(context.paths).flatMap(({ config, state }) => {
      if (state.status === 'restarting') return [retainedSocketName(config.id)];
      const isRunning = state.status === 'running' || context.running.has(config.id);
      return isRunning ? [monitorSocket(context.paths, config.id).name] : [];
    }),
  );
  for (const name of listMonitorSockets(context.paths)) {
    if (wanted.has(name)) continue;
    try {
      dismissMonitor(context.paths, name);
    } catch (error) {
      context.log(`monitor ${name}: ${(error as Error).message}`);
    }
  }
}
