/** Starting a container: from its records to a running program. */
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerCgroup } from '../cgroup/container-cgroup.ts';
import { LaunchError } from '../monitor/record.ts';
import { startMonitor, type MonitorProcess } from '../monitor/start.ts';
import { containerPlan } from '../runtime/container-plan.ts';
import { writableLayer } from '../storage/probe.ts';
import { isAlive, processIdentity, type ProcessIdentity } from '../sys/process-identity.ts';
import { signalProcess } from '../sys/signal-process.ts';
import { ERRNO } from '../sys/system-error.ts';
import { logLimits, readContainer, type Container, type ContainerState } from './container.ts';
import { recordContainerEvent } from './container-event.ts';
import { saveState, type EngineContext } from './context.ts';
import { attachmentsOf } from './attachments.ts';
import { commandFailure } from './command-failure.ts';
import { tryEmulator } from './emulator.ts';
import { EngineError } from './engine-error.ts';
import { superviseContainer } from './ending.ts';
import { createCgroup } from './limits.ts';
import { launchInput } from './launch.ts';
import { findLower, findSource } from './lower.ts';
import { recordMembership } from './network-event.ts';
import { layerQuota } from './storage-quota.ts';
import { joinNetworks, type Networking } from './networking.ts';
import type { ConsoleSize, Started } from './requests.ts';
import { InheritedPidfds, sharedNamespaces } from './shared-namespaces.ts';
import { writeAptConfiguration } from './single-id.ts';
import { LogWriter } from './log-writer.ts';
import { forgetMonitorSocket } from './monitor-link.ts';
import { reserveExit, RunningContainer } from './running-container.ts';

/** Starts a container that does not run. Where that fails, everything is as before, and the state tells why. */
export function startContainer(context: EngineContext, id: string, consoleSize?: ConsoleSize): Promise<Started> {
  return start(context, id, { consoleSize, isAutomatic: false });
}

/** Starts a container again by its restart policy: not, if it has been stopped or started meanwhile. */
export async function restartDue(context: EngineContext, id: string, letGo: () => void): Promise<void> {
  try {
    await start(context, id, { consoleSize: undefined, isAutomatic: true });
  } catch (error) {
    context.log(`cannot restart ${id}: ${(error as Error).message}`);
  } finally {
    letGo();
  }
}

/** A little more than the time, in ms, for which the kernel trusts names of a live directory (DirectoryFileSystem). */
const TRUST = 1100;

interface StartOptions {
  readonly consoleSize: ConsoleSize | undefined;
  /** By its restart policy. */
  readonly isAutomatic: boolean;
}

function start(context: EngineContext, id: string, options: StartOptions): Promise<Started> {
  return context.exclusive(id, async () => {
    const container = readContainer(context.paths, id);
    if (container === undefined) throw new EngineError('NOT_FOUND', `No such container: ${id}`);
    const { starts, logStart } = container.state;
    // On record as running but not ours: its end could not be recorded, or it could not be taken over.
    if (context.running.has(id) || (container.state.status === 'running' && isAlive(container.state.process)))
      return { id, starts, logStart, warnings: [] };
    // On record as running: it has ended, and the disk was too full to say so.
    if (options.isAutomatic && !['restarting', 'running'].includes(container.state.status))
      return { id, starts, logStart, warnings: [] };
    const letGo = context.restarts.cancel(id);
    try {
      return await launch(context, container, options).catch(async (error: unknown) => {
        if (!isProviderLost(error)) throw error;
        await sleep(TRUST);
        return launch(context, container, options);
      });
    } catch (error) {
      const failure = toEngineError(error);
      const exitCode =
        failure.code === 'COMMAND_NOT_FOUND' ? 127 : failure.code === 'COMMAND_NOT_EXECUTABLE' ? 126 : 128;
      const status = container.state.status === 'created' ? 'created' : 'exited';
      try {
        saveState(container, {
          ...takenRestarts(container.state),
          status,
          starts,
          logStart,
          exitCode,
          error: failure.message,
        });
      } catch (unsaved) {
        context.log(`${container.config.name}: cannot put its failure on record: ${(unsaved as Error).message}`);
      }
      context.events.emit('ended', id, { status, starts, logStart, exitCode });
      throw failure;
    } finally {
      letGo?.();
    }
  });
}

async function launch(
  context: EngineContext,
  container: Container,
  { consoleSize, isAutomatic }: StartOptions,
): Promise<Started> {
  const { paths } = context;
  const { config, folder } = container;
  const { id } = config;
  const layer = writableLayer(config.writable);
  const holder = await context.holder();
  const lower = findLower(context, config, holder.map);
  const { image } = findSource(context, config.request, config.image);
  const mend = image && (await tryEmulator(paths, holder, image.platform));
  using pidfds = new InheritedPidfds();
  const shared = sharedNamespaces(context, config.request, pidfds);
  const networking = await joinNetworks(context, container, pidfds);
  let monitor: MonitorProcess | undefined;
  let first: ProcessIdentity | undefined;
  let cgroup: ContainerCgroup | undefined;
  try {
    const root = await layer.prepare({
      paths,
      holder,
      id,
      folder,
      lower,
      quota: layerQuota(config.request.storage),
      warn: context.warn,
    });
    if (holder.map.kind === 'single') writeAptConfiguration(folder);
    cgroup = await createCgroup(container);
    const input = await launchInput(context, {
      container,
      holder,
      lower,
      root,
      networking,
      shared,
      cgroup,
      consoleSize,
    });
    reserveExit(folder);
    const plan = containerPlan(input);
    monitor = startMonitor(plan, undefined, pidfds.fds);
    const facts = { hasSingleId: holder.map.kind === 'single', ...(isAutomatic ? takenRestarts(container.state) : {}) };
    const state = await awaitExec(container, monitor, networking, cgroup, facts);
    first = state.process;
    superviseContainer(
      context,
      container,
      new RunningContainer({
        paths,
        poller: context.poller,
        id,
        folder,
        terminal: input.spec.process?.terminal === true,
        log: logLimits(config),
        report: (problem) => context.log(`${config.name}: ${problem}`),
      }),
    );
    for (const { network } of attachmentsOf(config)) recordMembership(context, id, network, 'connect');
    recordContainerEvent(context, config, 'start');
    const warnings = [...(mend === undefined ? [] : [mend]), ...(await context.takeWarnings())];
    return { id, starts: state.starts, logStart: state.logStart, warnings };
  } catch (error) {
    // A first process that still waits for the word goes when its socket ends; one that runs may outlive the monitor.
    monitor?.child.kill('SIGKILL');
    monitor?.close();
    forgetMonitorSocket(paths, id);
    if (first !== undefined) signalProcess(first, constants.signals.SIGKILL);
    const undone = await Promise.allSettled([
      networking.leave(),
      cgroup?.remove(),
      layer.release({ paths, holder, id, folder }),
    ]);
    for (const each of undone) {
      if (each.status === 'rejected') context.log(`${config.name}: ${(each.reason as Error).message}`);
    }
    if (mend === undefined || (error as { code?: unknown }).code !== 'ENOEXEC') throw error;
    throw new EngineError('COMMAND_NOT_EXECUTABLE', `${toEngineError(error).message}: ${mend}`, { cause: error });
  }
}

/** The handshake with the monitor (ARCHITECTURE.md draws it). Puts the container on record as running before it runs. */
async function awaitExec(
  container: Container,
  monitor: MonitorProcess,
  networking: Networking,
  cgroup: ContainerCgroup | undefined,
  facts: Pick<ContainerState, 'hasSingleId' | 'restarts'>,
): Promise<ContainerState> {
  const pid = (await monitor.next())?.value;
  const ready = pid === undefined ? undefined : await monitor.next();
  const first = pid === undefined ? undefined : processIdentity(pid);
  const own = monitor.child.pid === undefined ? undefined : processIdentity(monitor.child.pid);
  if (ready === undefined || first === undefined || own === undefined) {
    throw new EngineError('FAILED', 'Cannot start the container: its monitor ended while it started');
  }
  networking.attach(first.pid);

  using log = new LogWriter(container.folder);
  const state: ContainerState = {
    status: 'running',
    process: first,
    monitor: own,
    startedAt: new Date().toISOString(),
    starts: container.state.starts + 1,
    logStart: log.position,
    ...facts,
    ...(cgroup === undefined ? {} : { cgroup: cgroup.path }),
    ...(networking.state === undefined ? {} : { network: networking.state }),
  };
  saveState(container, state);
  monitor.go();
  await monitor.next();
  return state;
}

/**
 * Whether a start met the end of a process that it builds on: of the holder (ESRCH), a mount's keeper (ENOTCONN), or the
 * image server, whose successor does not know what the kernel has looked up with it (ESTALE).
 */
function isProviderLost(error: unknown): boolean {
  return error instanceof LaunchError && [ERRNO.ESRCH, ERRNO.ENOTCONN, ERRNO.ESTALE].includes(-error.errno);
}

/** What the restart policy has done counts until somebody starts the container. */
function takenRestarts({ restarts }: ContainerState): Pick<ContainerState, 'restarts'> {
  return restarts === undefined ? {} : { restarts: { count: restarts.count, delay: restarts.delay } };
}

/** Docker's words for what the launch plan could not do. */
function toEngineError(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  if (error instanceof LaunchError && error.action.startsWith('execute ')) {
    return commandFailure(error.action.slice('execute '.length), error.code, error.message, '', { cause: error });
  }
  const code = (error as { code?: unknown }).code === 'NOT_FOUND' ? 'NOT_FOUND' : 'FAILED';
  return new EngineError(code, (error as Error).message, { cause: error });
}
