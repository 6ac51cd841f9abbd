/**
 * `exec`, on the agent's side. The client's stdio and a status socket of the client's go to the new process by way of
 * the agent, which is then out of it: an exec outlives its agent, and its output passes through nobody else's hands.
 */
import { closeSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { mergeEnvironment } from '../oci/environment.ts';
import { containerCapabilities } from '../oci/image-to-spec.ts';
import { InvalidInput } from '../oci/invalid-input.ts';
import type { Process } from '../oci/runtime-spec.ts';
import { resolveUser } from '../oci/user.ts';
import type { LaunchPlan } from '../monitor/plan.ts';
import { INHERITED_FD } from '../monitor/plan-layout.ts';
import { startMonitorFor } from '../monitor/start.ts';
import { execPlan } from '../runtime/exec-plan.ts';
import { CLONE } from '../sys/linux-constants.ts';
import { isAlive } from '../sys/process-identity.ts';
import { openProcess } from '../sys/signal-process.ts';
import { seccompFilter } from './container-spec.ts';
import { findContainer, type Container } from './container.ts';
import { recordContainerEvent } from './container-event.ts';
import type { EngineContext } from './context.ts';
import { EngineError } from './engine-error.ts';
import { linkedEnvironment } from './links.ts';
import { findSource } from './lower.ts';
import type { ExecRequest } from './requests.ts';
import { readTextBelow } from './root-files.ts';
import { aptEnvironment, checkMapped } from './single-id.ts';

/** stdin, stdout, stderr and the status socket: theirs stay theirs. */
export type ExecFds = readonly [stdin: number, stdout: number, stderr: number, status: number];

/** Starts a program in a running container. What becomes of it, its status socket tells (MonitorRecord). */
export async function execInContainer(
  context: EngineContext,
  request: ExecRequest,
  [stdin, stdout, stderr, status]: ExecFds,
): Promise<void> {
  using exec = await planExec(context, request);
  const { config } = exec.container;
  const command = request.args.join(' ');
  recordContainerEvent(context, config, `exec_create: ${command}`);
  startMonitorFor(status, exec.plan, [stdin, stdout, stderr], [exec.pidfd]);
  recordContainerEvent(context, config, `exec_start: ${command}`);
}

/** Name below /proc/PID/ns -> its CLONE_NEW* flag. */
const NAMESPACES = {
  cgroup: CLONE.NEWCGROUP,
  ipc: CLONE.NEWIPC,
  mnt: CLONE.NEWNS,
  net: CLONE.NEWNET,
  pid: CLONE.NEWPID,
  user: CLONE.NEWUSER,
  uts: CLONE.NEWUTS,
} as const;

/** Those of a process that are not ours, and so not the host's. */
function foreignNamespaces(pid: number): number {
  return Object.entries(NAMESPACES).reduce((flags, [name, flag]) => {
    return readlinkSync(`/proc/${pid}/ns/${name}`) === readlinkSync(`/proc/self/ns/${name}`) ? flags : flags | flag;
  }, 0);
}

interface PlannedExec extends Disposable {
  readonly container: Container;
  readonly plan: LaunchPlan;
  /** The plan wants it as its first inherited fd. */
  readonly pidfd: number;
}

/**
 * The plan of a program in a running container. Throws CONFLICT where that does not run, or is paused.
 * @param request its `endsWithParent`: the program is killed with the plan's waiter
 */
export async function planExec(
  context: EngineContext,
  request: ExecRequest & { readonly endsWithParent?: boolean },
): Promise<PlannedExec> {
  const container = findContainer(context.paths, request.container);
  const { id } = container.config;
  const { process: first, status, paused, cgroup } = container.state;
  const notRunning = new EngineError('CONFLICT', `container ${id} is not running`);
  if (status === 'restarting') {
    throw new EngineError('CONFLICT', `Container ${id} is restarting, wait until the container is running`);
  }
  if (status !== 'running' || first === undefined) throw notRunning;
  if (paused === true)
    throw new EngineError('CONFLICT', `Container ${id} is paused, unpause the container before exec`);
  const isPrivileged = request.privileged || container.config.request.options.privileged === true;
  const pidfd = openProcess(first);
  if (pidfd === undefined) throw notRunning;
  try {
    const hasSingleId = container.state.hasSingleId === true;
    const process = await execProcess(context, container, request, first.pid);
    const plan = execPlan({
      process: hasSingleId ? asSingleId(process) : process,
      pidfd: INHERITED_FD,
      namespaces: foreignNamespaces(first.pid),
      cgroupProcs: cgroup === undefined ? undefined : join(cgroup, 'cgroup.procs'),
      seccomp: seccompFilter(container, hasSingleId, isPrivileged),
      endsWithParent: request.endsWithParent,
    });
    // Its account files were read by its pid: was it still its own?
    if (!isAlive(first)) throw notRunning;
    return { container, plan, pidfd, [Symbol.dispose]: () => closeSync(pidfd) };
  } catch (error) {
    closeSync(pidfd);
    throw error;
  }
}

/** As root of a single id, or not at all. */
function asSingleId(process: Process): Process {
  checkMapped(process.user);
  return { ...process, env: aptEnvironment(process.env) };
}

async function execProcess(
  context: EngineContext,
  container: Container,
  request: ExecRequest,
  pid: number,
): Promise<Process> {
  const { options } = container.config.request;
  const { config } = findSource(context, container.config.request, container.config.image);
  const root = `/proc/${pid}/root`;
  try {
    const [passwd, group] = await Promise.all([readTextBelow(root, 'etc/passwd'), readTextBelow(root, 'etc/group')]);
    const users = { passwd, group };
    const own = container.config.request.userns === 'keep-id' ? `${process.getuid!()}:${process.getgid!()}` : undefined;
    const chosen = request.user ?? options.user ?? own ?? config.User ?? '';
    const { home, ...user } = resolveUser(chosen, users, options.groupAdd);
    const capabilities = containerCapabilities({
      ...options,
      privileged: request.privileged || options.privileged === true,
    });
    const hostname = options.hostname ?? container.config.id.slice(0, 12);
    return {
      terminal: request.tty,
      ...(request.consoleSize === undefined ? {} : { consoleSize: { ...request.consoleSize } }),
      user,
      args: [...request.args],
      env: mergeEnvironment({
        image: [...linkedEnvironment(context, container), ...(config.Env ?? [])],
        user: [...(options.env ?? []), ...request.env],
        hostname,
        tty: request.tty,
        home,
      }),
      cwd:
        request.workdir ??
        options.workdir ??
        (config.WorkingDir === undefined || config.WorkingDir === '' ? '/' : config.WorkingDir),
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      rlimits: [...(options.ulimits ?? [])],
      noNewPrivileges: options.noNewPrivileges ?? false,
    };
  } catch (error) {
    if (error instanceof InvalidInput) throw new EngineError('INVALID', error.message, { cause: error });
    throw error;
  }
}
