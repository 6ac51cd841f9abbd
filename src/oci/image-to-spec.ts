import { type CapabilityName, resolveCapabilities } from './capabilities.ts';
import { resolveCommand } from './command.ts';
import { DEFAULT_SHM_SIZE, defaultMounts, MASKED_PATHS, type MountChoices, READONLY_PATHS } from './default-mounts.ts';
import { mergeEnvironment } from './environment.ts';
import type { ImageRunConfig } from './image-config.ts';
import { InvalidInput } from './invalid-input.ts';
import type { ResourceLimits } from './options/limits.ts';
import type { Mount, Process, Resources, Rlimit, RuntimeSpec, Seccomp } from './runtime-spec.ts';
import { resolveUser, type UserDatabase } from './user.ts';

/** What a container is made from: all of it read and parsed, paths on the host resolved. */
export interface ContainerInput {
  /** 64 hexadecimal digits; the first twelve are the default hostname. */
  id: string;
  image: ImageRunConfig;
  /** Texts of the image's account files. */
  users: UserDatabase;
  /** Path of the root file system on the host. */
  rootfs: string;
  options: ContainerOptions;
  /** Volumes, binds and tmpfs in the order given, over the default mounts. */
  mounts: readonly Mount[];
  choices: Omit<MountChoices, 'shmSize'> & { readonly ownUts?: boolean };
  /** The built-in or a user's profile for the capabilities that `containerCapabilities` gives; absent: unconfined. */
  seccomp?: Seccomp;
}

/** Options of `run` and `create` that shape the spec, each as its parser returns it. */
export interface ContainerOptions {
  /** What follows the image's name. */
  args?: readonly string[];
  entrypoint?: string;
  /** `--env-file` and `--env` together, in that order. */
  env?: readonly string[];
  workdir?: string;
  user?: string;
  groupAdd?: readonly string[];
  hostname?: string;
  domainname?: string;
  tty?: boolean;
  readOnly?: boolean;
  capAdd?: readonly string[];
  capDrop?: readonly string[];
  privileged?: boolean;
  noNewPrivileges?: boolean;
  systemPathsUnconfined?: boolean;
  /** Further paths to hide, and paths not to hide nor to make read-only; `ALL` for all of Docker's. */
  mask?: readonly string[];
  unmask?: readonly string[];
  /** Kernel parameters by name. */
  sysctls?: Readonly<Record<string, string>>;
  ulimits?: readonly Rlimit[];
  limits?: ResourceLimits;
  shmSize?: number;
  oomScoreAdj?: number;
}

/** The capabilities of a container, which its seccomp rules depend on. */
export function containerCapabilities(options: ContainerOptions): CapabilityName[] {
  const { capAdd = [], capDrop = [], privileged = false } = options;
  return resolveCapabilities({ add: capAdd, drop: capDrop, privileged });
}

/** The runtime spec of a container. */
export function containerSpec(input: ContainerInput): RuntimeSpec {
  const { id, image, options, choices, rootfs, seccomp } = input;
  const hostname = options.hostname ?? id.slice(0, 12);
  const sysctl = { ...(choices.ownNetwork ? networkSettings(choices.mappedGroups) : {}), ...options.sysctls };
  const resources = specResources(options.limits ?? {});
  return {
    ociVersion: '1.2.0',
    process: containerProcess(input, hostname),
    root: { path: rootfs, readonly: options.readOnly ?? false },
    ...(choices.ownUts === false ? {} : { hostname }),
    ...(options.domainname === undefined ? {} : { domainname: options.domainname }),
    mounts: [...defaultMounts({ ...choices, shmSize: options.shmSize ?? DEFAULT_SHM_SIZE }), ...input.mounts],
    annotations: { ...image.Labels },
    linux: {
      namespaces: [
        { type: 'user' },
        { type: 'mount' },
        ...(choices.pid === 'host' ? [] : [{ type: 'pid' } as const]),
        ...(choices.ipc === 'host' ? [] : [{ type: 'ipc' } as const]),
        ...(choices.ownUts === false ? [] : [{ type: 'uts' } as const]),
        { type: 'cgroup' },
        ...(choices.ownNetwork ? [{ type: 'network' } as const] : []),
      ],
      ...(Object.keys(sysctl).length === 0 ? {} : { sysctl }),
      ...(resources === undefined ? {} : { resources }),
      ...(seccomp === undefined ? {} : { seccomp }),
      rootfsPropagation: 'private',
      maskedPaths: [...covered(MASKED_PATHS, options), ...(options.mask ?? [])],
      readonlyPaths: covered(READONLY_PATHS, options),
    },
  };
}

/** What of Docker's list stays covered. */
function covered(paths: readonly string[], options: ContainerOptions): string[] {
  const { unmask = [], systemPathsUnconfined = false, privileged = false } = options;
  if (systemPathsUnconfined || privileged || unmask.includes('ALL')) return [];
  return paths.filter((path) => !unmask.includes(path));
}

function containerProcess({ image, users, options }: ContainerInput, hostname: string): Process {
  const { home, ...user } = resolveUser(options.user ?? image.User ?? '', users, options.groupAdd);
  const tty = options.tty ?? false;
  const capabilities = containerCapabilities(options);
  return {
    terminal: tty,
    user,
    args: resolveCommand(image, options.args ?? [], options.entrypoint),
    env: mergeEnvironment({ image: image.Env ?? [], user: options.env ?? [], hostname, tty, home }),
    cwd: workingDirectory(options.workdir, image.WorkingDir),
    capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
    rlimits: distinct(options.ulimits ?? []),
    noNewPrivileges: options.noNewPrivileges ?? false,
    ...(options.oomScoreAdj === undefined ? {} : { oomScoreAdj: options.oomScoreAdj }),
  };
}

/** Docker's settings of a container's network namespace: low ports for everybody, and ping without privileges. */
function networkSettings(mappedGroups: number): Record<string, string> {
  return {
    'net.ipv4.ip_unprivileged_port_start': '0',
    // The kernel refuses a range that ends at a group without mapping.
    'net.ipv4.ping_group_range': `0 ${mappedGroups - 1}`,
  };
}

/** `--workdir` must be absolute; an image's is taken from the root where it is not. */
function workingDirectory(option: string | undefined, image: string | undefined): string {
  if (option !== undefined && !option.startsWith('/')) {
    throw new InvalidInput(`the working directory '${option}' is invalid, it needs to be an absolute path`);
  }
  const path = option ?? (image === undefined || image === '' ? '/' : image);
  return path.startsWith('/') ? path : `/${path}`;
}

/** The last `--ulimit` of a kind counts. */
function distinct(ulimits: readonly Rlimit[]): Rlimit[] {
  return [...new Map(ulimits.map((ulimit) => [ulimit.type, ulimit])).values()];
}

const CPU_PERIOD = 100_000;

function specCpu({ cpus, cpuQuota, cpuPeriod, cpuShares, cpusetCpus, cpusetMems }: ResourceLimits) {
  const cpu: NonNullable<Resources['cpu']> = {};
  if (cpus !== undefined) [cpu.quota, cpu.period] = [Math.round(cpus * CPU_PERIOD), CPU_PERIOD];
  if (cpuQuota !== undefined) cpu.quota = cpuQuota;
  if (cpuPeriod !== undefined) cpu.period = cpuPeriod;
  if (cpuShares !== undefined) cpu.shares = cpuShares;
  if (cpusetCpus !== undefined) cpu.cpus = cpusetCpus;
  if (cpusetMems !== undefined) cpu.mems = cpusetMems;
  return cpu;
}

function specResources(limits: ResourceLimits): Resources | undefined {
  const { memory, memorySwap, memoryReservation, pids } = limits;
  const resources: Resources = {};
  if (memory !== undefined || memoryReservation !== undefined) {
    resources.memory = {
      // Docker's default: as much swap as memory.
      ...(memory === undefined ? {} : { limit: memory, swap: memorySwap ?? 2 * memory }),
      ...(memoryReservation === undefined ? {} : { reservation: memoryReservation }),
    };
  }
  const cpu = specCpu(limits);
  if (Object.keys(cpu).length > 0) resources.cpu = cpu;
  if (pids !== undefined) resources.pids = { limit: pids };
  return Object.keys(resources).length === 0 ? undefined : resources;
}
