/** Starting a container: from its records to a running program. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { processEntry } from '../base/install.ts';
import type { ContainerCgroup } from '../cgroup/container-cgroup.ts';
import type { Holder } from '../holder/holder.ts';
import { LaunchError, startMonitor, type MonitorProcess } from '../monitor/start.ts';
import type { PreparedEndpoint } from '../network/driver.ts';
import type { PortMapping } from '../network/port-mapping.ts';
import { hostnameFile } from '../oci/etc-files.ts';
import type { UserDatabase } from '../oci/user.ts';
import { containerPlan } from '../runtime/container-plan.ts';
import type { LaunchInput, NetworkNamespace } from '../runtime/launch-input.ts';
import { findMount } from '../image-server/mount-record.ts';
import { writableLayer } from '../storage/probe.ts';
import type { Lower, PreparedRoot } from '../storage/writable-layer.ts';
import { processIdentity } from '../sys/process-identity.ts';
import { buildSpec, seccompFilter } from './container-spec.ts';
import { findContainer, readContainer, type Container, type ContainerState } from './container.ts';
import { saveState, type EngineContext } from './context.ts';
import { EngineError } from './engine-error.ts';
import { superviseContainer } from './ending.ts';
import { createCgroup } from './limits.ts';
import { findLower, findSource } from './lower.ts';
import { monitorSocket } from './monitor-link.ts';
import type { ConsoleSize, Started } from './requests.ts';
import { readTextBelow } from './root-files.ts';
import { LogWriter } from './log-store.ts';
import { RunningContainer } from './running-container.ts';

/** Starts a container that does not run. Where that fails, everything is as before, and the state tells why. */
export async function startContainer(context: EngineContext, id: string, consoleSize?: ConsoleSize): Promise<Started> {
  return context.exclusive(id, async () => {
    const container = readContainer(context.paths, id);
    if (container === undefined) throw new EngineError('NOT_FOUND', `No such container: ${id}`);
    const { starts, logStart } = container.state;
    if (container.state.status === 'running') return { id, starts, logStart };
    try {
      return await launch(context, container, consoleSize);
    } catch (error) {
      const failure = toEngineError(error);
      const exitCode =
        failure.code === 'COMMAND_NOT_FOUND' ? 127 : failure.code === 'COMMAND_NOT_EXECUTABLE' ? 126 : 128;
      saveState(container, { status: container.state.status, starts, logStart, exitCode, error: failure.message });
      throw failure;
    }
  });
}

async function launch(
  context: EngineContext,
  container: Container,
  consoleSize: ConsoleSize | undefined,
): Promise<Started> {
  const { paths } = context;
  const { config, folder } = container;
  const { id } = config;
  const layer = writableLayer(config.writable);
  const holder = await context.holder();
  const lower = findLower(context, config, holder.map);
  const networking = await joinNetwork(context, container);
  let monitor: MonitorProcess | undefined;
  let cgroup: ContainerCgroup | undefined;
  try {
    const root = await layer.prepare({ paths, holder, id, folder, lower });
    cgroup = await createCgroup(container);
    const input = launchInput(context, { container, holder, lower, root, networking, cgroup, consoleSize });
    for (const name of ['exit', 'exit.tmp']) rmSync(join(folder, name), { force: true });
    const plan = containerPlan(input);
    monitor = startMonitor(plan);
    const state = await awaitExec(container, monitor, networking, cgroup);
    superviseContainer(
      context,
      container,
      new RunningContainer({
        paths,
        poller: context.poller,
        id,
        folder,
        terminal: input.spec.process?.terminal === true,
        report: (problem) => context.log(`${config.name}: ${problem}`),
      }),
    );
    return { id, starts: state.starts, logStart: state.logStart };
  } catch (error) {
    monitor?.child.kill('SIGKILL');
    await networking.leave();
    await cgroup?.remove();
    await layer.release({ paths, holder, id, folder });
    throw error;
  }
}

/** The handshake with the monitor (ARCHITECTURE.md draws it). Puts the container on record as running before it runs. */
async function awaitExec(
  container: Container,
  monitor: MonitorProcess,
  networking: Networking,
  cgroup: ContainerCgroup | undefined,
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
  const { endpoint } = networking;
  const state: ContainerState = {
    status: 'running',
    process: first,
    monitor: own,
    startedAt: new Date().toISOString(),
    starts: container.state.starts + 1,
    logStart: log.position,
    ...(cgroup === undefined ? {} : { cgroup: cgroup.path }),
    ...(endpoint === undefined
      ? {}
      : {
          network: {
            address: endpoint.address,
            prefixLength: endpoint.prefixLength,
            gateway: endpoint.gateway,
            mac: endpoint.mac,
            endpoint: endpoint.id,
            ports: endpoint.ports,
          },
        }),
  };
  saveState(container, state);
  monitor.go();
  await monitor.next();
  return state;
}

/** A container's part in a network, whichever kind. */
interface Networking {
  readonly namespace: NetworkNamespace;
  readonly endpoint: PreparedEndpoint | undefined;
  readonly etcFolder: string;
  attach(pid: number): void;
  leave(): Promise<void>;
}

async function joinNetwork(context: EngineContext, container: Container): Promise<Networking> {
  const { network, ports, extraHosts, dns, options } = container.config.request;
  const { id, name } = container.config;
  if (network.startsWith('container:')) return shareNetwork(context, network.slice('container:'.length));

  const driver = (await context.networks()).driver(network);
  const hostname = options.hostname ?? id.slice(0, 12);
  const endpoint = await driver.prepare({
    container: id,
    name,
    hostname,
    ports: ports.map(({ protocol, hostIp, hostPorts: [first, last], containerPort }): PortMapping => ({
      protocol,
      ...(hostIp === '' ? {} : { hostAddress: hostIp }),
      hostPort: first,
      ...(last === first ? {} : { hostPortEnd: last }),
      containerPort,
    })),
    extraHosts,
    dns: Object.fromEntries(Object.entries(dns).filter(([, values]) => values.length > 0)),
  });
  writeFileSync(join(container.folder, 'hosts'), endpoint.files.hosts, { mode: 0o644 });
  writeFileSync(join(container.folder, 'resolv.conf'), endpoint.files.resolvConf, { mode: 0o644 });
  writeFileSync(join(container.folder, 'hostname'), hostnameFile(hostname), { mode: 0o644 });
  return {
    namespace: endpoint.namespace === 'host' ? { kind: 'host' } : { kind: 'new' },
    endpoint,
    etcFolder: container.folder,
    attach: (pid) => {
      if (endpoint.needsAttach) driver.attach(id, pid);
    },
    leave: () => driver.detach(id),
  };
}

function shareNetwork({ paths }: EngineContext, nameOrId: string): Networking {
  const other = findContainer(paths, nameOrId);
  if (other.state.status !== 'running' || other.state.process === undefined) {
    throw new EngineError('CONFLICT', `cannot join network of a non running container: ${other.config.id}`);
  }
  return {
    namespace: { kind: 'join', pid: other.state.process.pid },
    endpoint: undefined,
    etcFolder: other.folder,
    attach: () => undefined,
    leave: () => Promise.resolve(),
  };
}

interface LaunchParts {
  readonly container: Container;
  readonly holder: Holder;
  readonly lower: Lower;
  readonly root: PreparedRoot;
  readonly networking: Networking;
  readonly cgroup: ContainerCgroup | undefined;
  readonly consoleSize: ConsoleSize | undefined;
}

function launchInput(context: EngineContext, parts: LaunchParts): LaunchInput {
  const { paths } = context;
  const { container, holder, root, networking, cgroup, consoleSize } = parts;
  const { config, folder } = container;
  const source = findSource(context, config.request, config.image);
  const spec = buildSpec({
    paths,
    holder,
    container,
    image: source.config,
    users: readUsers(context, parts),
    ownNetwork: networking.namespace.kind === 'new',
    etcFolder: networking.etcFolder,
    consoleSize,
  });
  const seccomp = seccompFilter(container);
  const socket = monitorSocket(paths, config.id);
  mkdirSync(socket.folder, { recursive: true, mode: 0o700 });
  const { endpoint } = networking;
  return {
    spec,
    root,
    rootTarget: join(folder, 'root'),
    holderPid: holder.process.pid,
    map: holder.map,
    network: networking.namespace,
    ...(endpoint === undefined ? {} : { configureNetwork: (plan) => endpoint.configure(plan) }),
    ...(seccomp === undefined ? {} : { seccomp }),
    ...(cgroup === undefined ? {} : { cgroupProcs: cgroup.procsPath }),
    init: config.request.init,
    openStdin: config.request.openStdin,
    supervision: {
      socketFolder: socket.folder,
      socketName: socket.name,
      exitPath: join(folder, 'exit'),
      exitTemporary: join(folder, 'exit.tmp'),
      agentLock: join(paths.run, 'agent.lock'),
      agentArgv: agentCommand(paths.root),
      agentEnv: Object.entries(process.env).map(([name, value]) => `${name}=${value ?? ''}`),
    },
  };
}

/** How an agent is started: by the first command that needs it, and by monitors whose agent is gone. */
export function agentCommand(root: string): string[] {
  return [process.execPath, '--no-warnings', '--v8-pool-size=0', processEntry('agent'), root];
}

/** The account files as the container will see them. */
function readUsers({ paths }: EngineContext, { container, lower, root }: LaunchParts): UserDatabase {
  const key = root.kind === 'overlay' ? lower.key : container.config.id;
  const mount = findMount(paths, key);
  const below = mount === undefined ? undefined : `/proc/${mount.keeper.pid}/root${mount.mountPoint}`;
  function read(path: string): string | undefined {
    const upper = root.kind === 'overlay' ? readTextBelow(join(root.folder, root.upper), path) : undefined;
    return upper ?? (below === undefined ? undefined : readTextBelow(below, path));
  }
  return { passwd: read('/etc/passwd'), group: read('/etc/group') };
}

/** Docker's words for what the launch plan could not do. */
function toEngineError(error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  if (error instanceof LaunchError && error.action.startsWith('execute ')) return commandError(error);
  const code = (error as { code?: unknown }).code === 'NOT_FOUND' ? 'NOT_FOUND' : 'FAILED';
  return new EngineError(code, (error as Error).message, { cause: error });
}

function commandError(error: LaunchError): EngineError {
  const name = error.action.slice('execute '.length);
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') {
    const reason = name.includes('/')
      ? `stat ${name}: no such file or directory`
      : 'executable file not found in $PATH';
    return new EngineError('COMMAND_NOT_FOUND', `exec: "${name}": ${reason}`, { cause: error });
  }
  const reason = { EACCES: 'permission denied', ENOEXEC: 'exec format error' }[error.code] ?? error.message;
  return new EngineError('COMMAND_NOT_EXECUTABLE', `exec: "${name}": ${reason}`, { cause: error });
}
