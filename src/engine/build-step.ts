/**
 * A RUN instruction of a build: a container without name and record, that lives as long as the connection of the build
 * that asked for it. The build has made the step's folder and reads from it what the program has written.
 */
import { writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { idCount, nestedExtents } from '../base/id-extents.ts';
import type { RootSource } from '../base/root-source.ts';
import { LaunchError } from '../monitor/record.ts';
import { startMonitor, type MonitorProcess } from '../monitor/start.ts';
import { containerCapabilities, containerSpec, type ContainerOptions } from '../oci/image-to-spec.ts';
import { InvalidInput } from '../oci/invalid-input.ts';
import { compileSeccomp } from '../oci/seccomp/compile.ts';
import { DEFAULT_PROFILE } from '../oci/seccomp/default-profile.ts';
import { selectRules, type SeccompTarget } from '../oci/seccomp/select-rules.ts';
import type { Mount, RuntimeSpec } from '../oci/runtime-spec.ts';
import type { PlannedMount } from '../runtime/mount-stage.ts';
import { stepPlan } from '../runtime/step-plan.ts';
import { readLowerText } from '../storage/lower-files.ts';
import { ensureLower, removeLower } from '../storage/plain-copy.ts';
import { writableLayer } from '../storage/probe.ts';
import type { Lower, WritableKind } from '../storage/writable-layer.ts';
import { hasCgroup2 } from './container-spec.ts';
import type { EngineContext } from './context.ts';
import { EngineError } from './engine-error.ts';
import { findDriver } from './networking.ts';
import { commandFailure } from './command-failure.ts';
import { exitCodeOf } from './running-container.ts';

/** A merged tree of image layers, which is mounted under its key. */
export interface StepTree {
  /** The same for the same content, fit for a file name. */
  readonly key: string;
  /** Path of the index. */
  readonly index: string;
}

/** What a step sees besides its root. */
export type StepMount =
  | { readonly kind: 'plain'; readonly mount: PlannedMount }
  /** A path of a tree without links on the way; writable ones write to `scratch`, a folder with `upper` and `work`. */
  | {
      readonly kind: 'tree';
      readonly tree: StepTree;
      readonly path: string;
      readonly isFile: boolean;
      readonly target: string;
      readonly scratch?: string;
    };

export interface StepRequest {
  /** 64 hexadecimal digits. */
  readonly id: string;
  /** Absolute: where `layer` writes, and the empty folder `root` is. */
  readonly folder: string;
  readonly writable: WritableKind;
  readonly tree: StepTree;
  readonly filesFolder: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly user: string;
  readonly workdir: string;
  readonly network: 'default' | 'none' | 'host';
  readonly privileged: boolean;
  readonly extraHosts: readonly { readonly address: string; readonly names: readonly string[] }[];
  readonly options: Pick<ContainerOptions, 'shmSize' | 'ulimits'>;
  readonly mounts: readonly StepMount[];
}

/** As in BuildKit. */
const HOSTNAME = 'buildkitsandbox';
/** More than any account file in earnest. */
const ACCOUNT_LIMIT = 8 << 20;

/** Runs the step to its end and returns the program's exit code. Ends it where `closed` settles first. */
export async function runBuildStep(
  context: EngineContext,
  request: StepRequest,
  stdio: readonly [number, number, number],
  closed: Promise<void>,
): Promise<number> {
  const { paths } = context;
  const { id, folder } = request;
  const holder = await context.holder();
  const owner = holder.map.kind === 'single';
  const lower: Lower = lowerOf(request.tree, request.filesFolder, owner);
  const layer = writableLayer(request.writable);
  const driver = await findDriver(context, request.network === 'default' ? 'bridge' : request.network);
  const endpoint = await driver.prepare({
    container: id,
    name: `build-${id.slice(0, 12)}`,
    hostname: HOSTNAME,
    ports: [],
    extraHosts: request.extraHosts,
    dns: {},
  });
  let monitor: MonitorProcess | undefined;
  const trees = [request.tree, ...request.mounts.flatMap((mount) => (mount.kind === 'tree' ? [mount.tree] : []))];
  for (const { key } of trees) users.set(key, (users.get(key) ?? 0) + 1);
  try {
    writeFileSync(join(folder, 'hosts'), endpoint.files.hosts, { mode: 0o644 });
    writeFileSync(join(folder, 'resolv.conf'), endpoint.files.resolvConf, { mode: 0o644 });
    const root: RootSource = await layer.prepare({ paths, holder, id, folder, lower, quota: {} });
    const mounts = await Promise.all(request.mounts.map((mount) => stepMount(context, request, mount, owner)));
    const spec = stepSpec(request, {
      ownNetwork: endpoint.namespace !== 'host',
      mappedGroups: idCount(holder.map.gid),
      users: {
        passwd: readLowerText(lower, '/etc/passwd', ACCOUNT_LIMIT),
        group: readLowerText(lower, '/etc/group', ACCOUNT_LIMIT),
      },
      mounts,
    });
    const seccomp = request.privileged ? undefined : stepFilter();
    monitor = startMonitor(
      stepPlan({
        spec,
        root,
        rootTarget: join(folder, 'root'),
        holderPid: holder.process.pid,
        map: { uid: nestedExtents(holder.map.uid), gid: nestedExtents(holder.map.gid) },
        network: { kind: endpoint.namespace === 'host' ? 'host' : 'new' },
        configureNetwork: (plan) => endpoint.configure(plan),
        ...(seccomp === undefined ? {} : { seccomp }),
        init: false,
      }),
      stdio,
    );
    const running = monitor;
    void closed.then(() => running.child.kill('SIGKILL'));
    const pid = (await monitor.next())?.value;
    if (pid === undefined || (await monitor.next()) === undefined) throw lost();
    if (endpoint.needsAttach) driver.attach(id, pid);
    monitor.go();
    const exit = await monitor.next();
    if (exit === undefined) throw lost();
    return exitCodeOf(exit.value);
  } catch (error) {
    throw stepError(error);
  } finally {
    monitor?.child.kill('SIGKILL');
    monitor?.close();
    await driver.remove(id);
    await layer.release({ paths, holder, id, folder });
    for (const { key } of trees) void letGo(context, key);
  }
}

/** Steps under way by the key of each tree that they use. */
const users = new Map<string, number>();

/** A tree is mounted for as long as a step uses it: the next step has another one. */
async function letGo(context: EngineContext, key: string): Promise<void> {
  const left = (users.get(key) ?? 1) - 1;
  if (left > 0) return void users.set(key, left);
  users.delete(key);
  try {
    await removeLower(context.paths, () => context.holder(), key);
  } catch (error) {
    context.log(`Cannot unmount the tree of a build: ${(error as Error).message}`);
  }
}

function lost(): EngineError {
  return new EngineError('FAILED', 'Cannot tell how the build step ended: its process was killed');
}

function stepError(error: unknown): unknown {
  if (error instanceof InvalidInput) return new EngineError('INVALID', error.message, { cause: error });
  if (error instanceof LaunchError && error.action.startsWith('execute ')) {
    return commandFailure(error.action.slice('execute '.length), error.code, error.message, '', { cause: error });
  }
  return error;
}

function lowerOf({ key, index }: StepTree, files: string, owner: boolean): Lower {
  return { key, content: { kind: 'tree', index, files, owner } };
}

async function stepMount(
  context: EngineContext,
  { filesFolder }: StepRequest,
  mount: StepMount,
  owner: boolean,
): Promise<PlannedMount> {
  if (mount.kind === 'plain') return mount.mount;
  const lower = lowerOf(mount.tree, filesFolder, owner);
  const mounted = await ensureLower(context.paths, await context.holder(), lower);
  const source = join(mounted, mount.path);
  const { target: destination, isFile, scratch } = mount;
  if (scratch === undefined || isFile) {
    return { destination, type: 'bind', source, options: ['bind', 'rprivate', 'ro'], isFile };
  }
  const data = [`lowerdir=${source}`, `upperdir=${scratch}/upper`, `workdir=${scratch}/work`, 'userxattr'];
  return { destination, type: 'overlay', source: 'overlay', options: ['nodev', ...data] };
}

interface SpecParts {
  readonly ownNetwork: boolean;
  readonly mappedGroups: number;
  readonly users: { readonly passwd: string | undefined; readonly group: string | undefined };
  readonly mounts: readonly Mount[];
}

function stepSpec(request: StepRequest, { ownNetwork, mappedGroups, users, mounts }: SpecParts): RuntimeSpec {
  const { id, folder, args, env, user, workdir, privileged, options } = request;
  const spec = containerSpec({
    id,
    image: { Cmd: [...args] },
    users,
    rootfs: join(folder, 'root'),
    options: { ...options, hostname: HOSTNAME, privileged, user, workdir, env },
    mounts: [...etcMounts(folder), ...mounts],
    choices: { ownNetwork, mappedGroups, cgroup: hasCgroup2() },
  });
  // A build's environment is the image's and the arguments': it says nothing of the sandbox.
  const { process } = spec;
  if (process?.env !== undefined) process.env = process.env.filter((each) => !each.startsWith('HOSTNAME='));
  return spec;
}

function etcMounts(folder: string): PlannedMount[] {
  return ['hosts', 'resolv.conf'].map((name) => ({
    destination: `/etc/${name}`,
    type: 'bind',
    source: join(folder, name),
    options: ['bind', 'rprivate'],
    isFile: true,
  }));
}

let filter: Buffer | undefined;

function stepFilter(): Buffer {
  const arch = process.arch as SeccompTarget['arch'];
  const target = { arch, capabilities: containerCapabilities({}), kernel: release() };
  filter ??= Buffer.from(compileSeccomp(selectRules(DEFAULT_PROFILE, target), arch).program);
  return filter;
}
