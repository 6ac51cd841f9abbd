/** The runtime spec of a container's next start, from its request and what its root says now. */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { idCount } from '../base/id-extents.ts';
import type { Holder } from '../holder/holder.ts';
import { containerCapabilities, containerSpec } from '../oci/image-to-spec.ts';
import { InvalidInput } from '../oci/invalid-input.ts';
import type { ImageRunConfig } from '../oci/image-config.ts';
import { checkSysctls } from '../oci/options/sysctl.ts';
import type { RuntimeSpec } from '../oci/runtime-spec.ts';
import { compileSeccomp } from '../oci/seccomp/compile.ts';
import { DEFAULT_PROFILE } from '../oci/seccomp/default-profile.ts';
import { emulateIds } from '../oci/seccomp/emulate-ids.ts';
import { selectRules, type SeccompTarget } from '../oci/seccomp/select-rules.ts';
import type { UserDatabase } from '../oci/user.ts';
import type { PlannedMount } from '../runtime/mount-stage.ts';
import type { StatePaths } from '../state/paths.ts';
import { errorCode } from '../base/error-code.ts';
import type { Container } from './container.ts';
import { cdiEdits } from './cdi.ts';
import { deviceMounts } from './devices.ts';
import { EngineError } from './engine-error.ts';
import type { ConsoleSize } from './requests.ts';
import { aptEnvironment, aptMount, checkMapped } from './single-id.ts';
import { volumeData } from './volumes.ts';

/** Files of a container's folder that appear in its /etc. */
export const ETC_FILES = ['hosts', 'hostname', 'resolv.conf'] as const;

export interface SpecInput {
  readonly paths: StatePaths;
  readonly holder: Holder;
  readonly container: Container;
  readonly image: ImageRunConfig;
  readonly users: UserDatabase;
  readonly ownNetwork: boolean;
  /** The folder with ETC_FILES: the container's, or that of the one whose network it shares. */
  readonly etcFolder: string;
  readonly consoleSize?: ConsoleSize | undefined;
}

/** Throws INVALID in Docker's words for what only shows now: an unknown user, a bind source that is not there. */
export function buildSpec(input: SpecInput): RuntimeSpec {
  const { container, holder, image, users, ownNetwork, consoleSize } = input;
  const { id, request } = container.config;
  const options = { ...request.options, ...defaultUser(request) };
  const { ipc = 'private', pid = 'private', uts } = request;
  const edits = cdiEdits(request.cdi ?? []);
  let spec: RuntimeSpec;
  try {
    spec = containerSpec({
      id,
      image,
      users,
      rootfs: join(container.folder, 'root'),
      options,
      mounts: [
        ...(holder.map.kind === 'single' ? [aptMount(container.folder)] : []),
        ...deviceMounts([...(request.devices ?? []), ...edits.devices]),
        ...edits.mounts.map(withKind),
        ...requestMounts(input),
        ...etcMounts(input),
      ],
      choices: {
        ownNetwork,
        mappedGroups: idCount(holder.map.gid),
        cgroup: hasCgroup2(),
        ipc: ipc === 'host' || ipc === 'none' ? ipc : undefined,
        pid: pid === 'host' ? pid : undefined,
        ownUts: uts !== 'host',
      },
    });
    spec.process!.env = [...(spec.process!.env ?? []), ...edits.env];
    // A host without POSIX message queues has none to show.
    if (ipc === 'host' && !existsSync('/dev/mqueue')) {
      spec.mounts = spec.mounts?.filter(({ destination }) => destination !== '/dev/mqueue') ?? [];
    }
    spec.annotations = { ...spec.annotations, ...request.annotations };
    checkSysctls(Object.keys(options.sysctls ?? {}), { network: !ownNetwork, ipc: ipc === 'host' });
  } catch (error) {
    if (error instanceof InvalidInput) throw new EngineError('INVALID', error.message, { cause: error });
    throw error;
  }
  if (holder.map.kind === 'single') {
    checkMapped(spec.process!.user);
    spec.process!.env = aptEnvironment(spec.process!.env);
  }
  if (consoleSize !== undefined && spec.process !== undefined) spec.process.consoleSize = { ...consoleSize };
  return spec;
}

/** Vendors' files say what is mounted, and not whether it is a folder. */
function withKind(mount: PlannedMount): PlannedMount {
  return { ...mount, isFile: !checkSource(mount.source!, false).isDirectory() };
}

/** Whoever keeps its id is itself inside. */
function defaultUser({ userns, options }: Container['config']['request']): { user?: string } {
  if (userns !== 'keep-id' || options.user !== undefined) return {};
  return { user: `${process.getuid!()}:${process.getgid!()}` };
}

/** Whether the host's cgroups are all of version 2, so that a container can be shown its own. */
export function hasCgroup2(): boolean {
  return existsSync('/sys/fs/cgroup/cgroup.controllers');
}

function requestMounts({ container, paths }: SpecInput): PlannedMount[] {
  const { request, volumes } = container.config;
  const mounts = request.mounts.map((mount): PlannedMount => {
    if (mount.type === 'tmpfs')
      return { destination: mount.target, type: 'tmpfs', source: 'tmpfs', options: mount.options };
    if (mount.type === 'volume') return volumeMount(paths, mount.target, volumes[mount.target]!, mount.readOnly);
    const isFile = !checkSource(mount.source, mount.createSource).isDirectory();
    const options = [mount.recursive ? 'rbind' : 'bind', mount.propagation, ...(mount.readOnly ? ['ro'] : [])];
    return { destination: mount.target, type: 'bind', source: mount.source, options, isFile };
  });
  for (const [target, name] of Object.entries(volumes)) {
    if (!request.mounts.some((mount) => mount.target === target)) mounts.push(volumeMount(paths, target, name, false));
  }
  // What is mounted below something else comes after it.
  return mounts.sort((a, b) => a.destination.split('/').length - b.destination.split('/').length);
}

function volumeMount(paths: StatePaths, destination: string, name: string, readOnly: boolean): PlannedMount {
  const options = ['rbind', 'rprivate', ...(readOnly ? ['ro'] : [])];
  return { destination, type: 'bind', source: volumeData(paths, name), options };
}

function checkSource(source: string, create: boolean) {
  try {
    return statSync(source);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT')
      throw new EngineError('INVALID', `Cannot bind ${source}: ${(error as Error).message}`);
  }
  if (!create) {
    throw new EngineError(
      'INVALID',
      `invalid mount config for type "bind": bind source path does not exist: ${source}`,
    );
  }
  mkdirSync(source, { recursive: true });
  return statSync(source);
}

function etcMounts({ container, etcFolder }: SpecInput): PlannedMount[] {
  const taken = new Set(container.config.request.mounts.map((mount) => mount.target));
  return ETC_FILES.filter((name) => !taken.has(`/etc/${name}`)).map((name) => ({
    destination: `/etc/${name}`,
    type: 'bind',
    source: join(etcFolder, name),
    options: ['bind', 'rprivate'],
    isFile: true,
  }));
}

const filters = new Map<string, Buffer>();

/**
 * The container's seccomp filter, compiled; undefined where it is unconfined and has all of its ids.
 * @param hasSingleId one id is mapped: calls that would take another are answered as done
 */
export function seccompFilter(
  { config }: Container,
  hasSingleId: boolean,
  isPrivileged = config.request.options.privileged === true,
): Buffer | undefined {
  const { seccomp, options } = config.request;
  const isUnconfined = seccomp === 'unconfined' || isPrivileged;
  if (isUnconfined && !hasSingleId) return undefined;
  const arch = process.arch as SeccompTarget['arch'];
  const target = { arch, capabilities: containerCapabilities(options), kernel: release() };
  const key = JSON.stringify([target.capabilities, isUnconfined ? 'unconfined' : seccomp, hasSingleId]);
  let filter = filters.get(key);
  if (filter === undefined) {
    const rules = isUnconfined ? undefined : selectRules(seccomp === 'default' ? DEFAULT_PROFILE : seccomp, target);
    filter = Buffer.from(compileSeccomp(hasSingleId ? emulateIds(rules) : rules!, arch).program);
    filters.set(key, filter);
  }
  return filter;
}
