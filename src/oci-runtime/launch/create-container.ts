/** `create`: from a bundle to a container that waits for `start`. The plan's side of it is runtime/bundle-plan.ts. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { RLIMITS, rlimitValue } from '../../oci/rlimits.ts';
import type { Rlimit, RuntimeSpec } from '../../oci/runtime-spec.ts';
import { LaunchError } from '../../monitor/record.ts';
import { type PlanProcess, spawnPlan } from '../../monitor/spawn-plan.ts';
import { BUNDLE_FD } from '../../runtime/bundle-launch.ts';
import { bundlePlan } from '../../runtime/bundle-plan.ts';
import { rlimit64 } from '../../runtime/structures.ts';
import { setProcessLimit } from '../../sys/prlimit.ts';
import { CLONE } from '../../sys/linux-constants.ts';
import type { ContainerCgroups } from '../cgroup/container-cgroups.ts';
import { cgroupsPath, openCgroups } from '../cgroup/open-cgroups.ts';
import { ContainerFolder, type ContainerRecord, identify, START_SOCKET } from '../container-record.ts';
import type { Surroundings } from '../global-flags.ts';
import { killQuietly } from '../kill-quietly.ts';
import { RuntimeError } from '../runtime-error.ts';
import { type Bundle, NO_PROCESS, openBundle } from './bundle.ts';
import type { HookState } from './hooks.ts';
import { executionFailure } from './launch-failure.ts';
import { plannedMounts } from './mounts.ts';
import { namespacePlan } from './namespaces.ts';
import { prepareNotify } from './notify-socket.ts';
import { preservedFdMap, processInput } from './process-input.ts';

export interface CreateRequest {
  readonly id: string;
  readonly bundle: string;
  readonly pidFile: string | undefined;
  /** The open socket that a terminal's master is sent to. */
  readonly console: number | undefined;
  readonly noPivot: boolean;
  readonly noNewKeyring: boolean;
  readonly preserveFds: number;
  /** Stay the container's parent: the process returned reports its end. */
  readonly foreground: boolean;
}

export interface CreatedContainer {
  readonly folder: ContainerFolder;
  readonly record: ContainerRecord;
  readonly process: PlanProcess;
}

export async function createContainer(surroundings: Surroundings, request: CreateRequest): Promise<CreatedContainer> {
  const bundle = openBundle(request.bundle);
  const terminal = bundle.spec.process?.terminal === true;
  if (terminal && request.console === undefined) {
    throw new RuntimeError('cannot allocate tty if runc will detach without setting console socket');
  }
  if (!terminal && request.console !== undefined) {
    throw new RuntimeError('cannot use console socket if runc will not detach or allocate tty');
  }
  const folder = new ContainerFolder(surroundings.root, request.id);
  folder.make();
  try {
    folder.keepConfig(bundle.configPath);
    return await launch(surroundings, request, bundle, folder);
  } catch (error) {
    folder.remove();
    throw error;
  }
}

async function launch(
  surroundings: Surroundings,
  request: CreateRequest,
  bundle: Bundle,
  folder: ContainerFolder,
): Promise<CreatedContainer> {
  const notify = prepareNotify(folder, bundle.spec, surroundings.env);
  const spec: RuntimeSpec = notify?.spec ?? bundle.spec;
  const { linux = {}, hooks = {} } = spec;
  const namespaces = namespacePlan(linux);
  const privileged = process.geteuid!() === 0;
  const input = processInput(spec.process ?? NO_PROCESS, linux, request.preserveFds);

  let cgroups: ContainerCgroups | undefined;
  const { plan, startsAt, copyUps } = bundlePlan({
    ...input,
    spec,
    mounts: plannedMounts(spec, {
      bundle: bundle.path,
      newNamespaces: namespaces.create,
      cgroupsPath:
        surroundings.cgroupManager === 'cgroupfs' && !surroundings.rootless
          ? cgroupsPath(linux, request.id)
          : undefined,
    }),
    rootfs: bundle.rootfs,
    rootfsMount: mountPointOf(bundle.rootfs),
    namespaces,
    startSocket: { folder: folder.path, name: START_SOCKET },
    foreground: request.foreground,
    pauseInRuntimeRoot: (hooks.createContainer ?? []).length > 0,
    ...(request.noNewKeyring ? {} : { keyring: `_ses.${request.id}` }),
    noPivot: request.noPivot,
    canMakeDevices: !(namespaces.all & CLONE.NEWUSER),
    hide: privileged,
  });
  const program = spawnPlan(plan, [
    ...preservedFdMap(input.preservedFds, BUNDLE_FD.preserved),
    ...(request.console === undefined ? [] : [[request.console, BUNDLE_FD.console] as const]),
  ]);
  let pid: number | undefined;
  try {
    const starter = note(program);
    cgroups = await openCgroups(surroundings, request.id, linux, request.foreground ? starter : program.pid);
    program.go();

    pid = note(program);
    if (namespaces.create & CLONE.NEWUSER) (await import('./id-maps.ts')).writeIdMaps(pid, linux);
    if (spec.process?.oomScoreAdj !== undefined) setOomScore(pid, spec.process.oomScoreAdj, surroundings.rootless);
    const state: HookState = {
      ociVersion: spec.ociVersion,
      id: request.id,
      status: 'creating',
      pid,
      bundle: bundle.path,
      annotations: spec.annotations ?? {},
    };
    const record: ContainerRecord = {
      ociVersion: spec.ociVersion,
      id: request.id,
      bundle: bundle.path,
      rootfs: bundle.rootfs,
      created: new Date().toISOString(),
      owner: process.getuid!(),
      init: identify(pid),
      annotations: spec.annotations ?? {},
      hooks,
      cgroup: cgroups.record,
      namespaces: namespaces.all,
      hasPidNamespace: (namespaces.all & CLONE.NEWPID) !== 0,
      hasProcess: spec.process !== undefined,
      startsAt,
      startActions: plan.actions(startsAt),
      ...(notify === undefined ? {} : { notifySocket: notify.socket }),
    };
    // From here on a `delete --force` finds what to end, should we be killed.
    folder.write(record);
    // What few containers need is loaded for them alone: child_process costs four milliseconds.
    if ((hooks.prestart ?? []).length + (hooks.createRuntime ?? []).length > 0) {
      const { runHooks } = await import('./hooks.ts');
      // The deprecated kind knows the states of the first runtime spec.
      runHooks(hooks, 'prestart', { ...state, status: 'created' });
      runHooks(hooks, 'createRuntime', state);
    }
    program.go();

    if (copyUps > 0 || (hooks.createContainer ?? []).length > 0) {
      const pairs = Array.from({ length: copyUps }, () => [note(program), note(program)] as const);
      const { copyUp } = await import('./copy-up.ts');
      for (const [from, to] of pairs) copyUp(pid, from, to);
      note(program);
      const { runHooksInside } = await import('./hooks.ts');
      runHooksInside(hooks, 'createContainer', state, namespaces.all);
      program.go();
    }
    note(program);
    folder.writeCallPlans(record);
    setLimits(pid, spec.process?.rlimits ?? []);
    if (request.pidFile !== undefined) writePidFile(request.pidFile, pid);
    return { folder, record, process: program };
  } catch (error) {
    if (pid !== undefined) killQuietly(pid);
    program.close();
    cgroups?.remove();
    if (error instanceof LaunchError) throw executionFailure(error);
    throw error;
  }
}

/** By us, who may be allowed more than the container: it raises nothing in a user namespace. */
function setLimits(pid: number, rlimits: readonly Rlimit[]): void {
  for (const { type, soft, hard } of rlimits) {
    try {
      setProcessLimit(pid, RLIMITS[type]!, rlimit64(rlimitValue(soft), rlimitValue(hard)));
    } catch (error) {
      throw new RuntimeError(`cannot set the limit ${type} to ${soft}:${hard}: ${(error as Error).message}`);
    }
  }
}

/** The next note of the plan. */
function note(program: PlanProcess): number {
  const record = program.next();
  if (record === undefined) throw new RuntimeError('container process ended before it was ready');
  return record.value;
}

/** As many bytes as engines expect, at once: they read the file as soon as it is there. */
export function writePidFile(path: string, pid: number): void {
  const temporary = join(dirname(path), `.${process.pid}.pid`);
  writeFileSync(temporary, String(pid));
  renameSync(temporary, path);
}

/** Only root may lower it below what it is (proc(5)): where that is refused, rootless engines do with what they have. */
function setOomScore(pid: number, score: number, rootless: boolean): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, String(score));
  } catch (error) {
    if (!rootless) throw new RuntimeError(`cannot set oomScoreAdj to ${score}: ${(error as Error).message}`);
  }
}

/** The mount point of the file system that a folder is on, from the mount table (proc(5)). */
function mountPointOf(path: string): string {
  const points = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((point) => point === '/' || path === point || path.startsWith(`${point}/`));
  return points.reduce((longest, point) => (point.length > longest.length ? point : longest), '/');
}
