/**
 * A container on disk: `containers/<id>/config.json` is what was asked for and changes by `rename`, `update` and `network
 * connect` alone;
 * `state.json` is what has become of it. The agent alone writes them; everybody reads them.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TrafficRules } from '../base/traffic.ts';
import type { ContainerOptions } from '../oci/image-to-spec.ts';
import type { ContainerMount } from '../oci/options/mount.ts';
import type { HealthCheck, HealthOptions } from '../oci/options/health.ts';
import type { DeviceOption } from '../oci/options/device.ts';
import type { LogOptions } from '../oci/options/log.ts';
import type { NamespaceChoice } from '../oci/options/namespaces.ts';
import type { PublishedPort } from '../oci/options/publish.ts';
import type { RestartPolicy } from '../oci/options/restart.ts';
import type { SeccompProfile } from '../oci/seccomp/profile.ts';
import { readJson } from '../state/atomic-file.ts';
import type { StatePaths } from '../state/paths.ts';
import type { ProcessIdentity } from '../sys/process-identity.ts';
import { EngineError } from './engine-error.ts';
import type { LogLimits } from './log-writer.ts';

/** What a container is to be on a network. */
export interface NetworkAttachment {
  readonly network: string;
  /** Names beside its own. */
  readonly aliases?: readonly string[];
  /** Certain addresses, as text. */
  readonly address?: string;
  readonly address6?: string;
  readonly mac?: string;
  /** `--link`: alias -> container. */
  readonly links?: Readonly<Record<string, string>>;
}

export interface ExposedPort {
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp';
}

/** Everything that `run` and `create` say about a container. */
export interface ContainerRequest {
  /** As the user wrote it: a reference, an id, or `host`. */
  readonly image: string;
  readonly name?: string;
  /** Instead of an image: a folder of the host, shown read-only below the writable layer. */
  readonly rootfs?: string;
  readonly options: ContainerOptions;
  readonly mounts: readonly ContainerMount[];
  readonly ports: readonly PublishedPort[];
  readonly publishAll: boolean;
  /** Ports that `publishAll` publishes beside the image's. */
  readonly exposed?: readonly ExposedPort[];
  /** `bridge`, `none`, `host`, `container:NAME`, or a network's name: the first, where there are several. */
  readonly network: string;
  /** All networks, with what was asked for on each. Absent: `network` alone. */
  readonly networks?: readonly NetworkAttachment[];
  readonly extraHosts: readonly { readonly address: string; readonly names: readonly string[] }[];
  readonly dns: {
    readonly servers: readonly string[];
    readonly search: readonly string[];
    readonly options: readonly string[];
  };
  readonly traffic?: TrafficRules;
  readonly labels: Readonly<Record<string, string>>;
  /** Keep stdin open (`-i`). */
  readonly openStdin: boolean;
  /** Remove the container when it has ended (`--rm`). */
  readonly autoRemove: boolean;
  /** Run the program under a PID 1 of ours (`--init`). */
  readonly init: boolean;
  /** Signal name or number of `stop`; absent: the image's, else SIGTERM. */
  readonly stopSignal?: string;
  /** Seconds until `stop` kills; absent: 10. */
  readonly stopTimeout?: number;
  /** What becomes of it when it has ended; absent: nothing. */
  readonly restart?: RestartPolicy;
  /** Over the image's health check, or instead of it; absent: the image's. */
  readonly health?: HealthOptions | 'none';
  /** Namespaces that are not its own; absent: its own. */
  readonly ipc?: NamespaceChoice | 'none';
  readonly pid?: NamespaceChoice;
  readonly uts?: 'private' | 'host';
  readonly userns?: 'private' | 'host' | 'keep-id';
  readonly devices?: readonly DeviceOption[];
  /** Devices of CDI specifications, as `vendor.com/class=name`. */
  readonly cdi?: readonly string[];
  /** Containers whose volumes it has too: `name[:ro|rw]`. Mounts have taken their place once it is made. */
  readonly volumesFrom?: readonly string[];
  /** Keep the supplementary groups of the user (`--group-add keep-groups`). */
  readonly keepGroups?: boolean;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Absent: everything is kept. */
  readonly log?: LogOptions;
  readonly seccomp: 'default' | 'unconfined' | SeccompProfile;
  /** Which writable layer, and its limits in bytes and inodes. */
  readonly storage: { readonly writable: 'auto' | 'kernel' | 'fuse'; readonly size?: number; readonly inodes?: number };
}

export interface ContainerConfig {
  readonly version: 1;
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  /** ISO 8601. */
  readonly created: string;
  readonly request: ContainerRequest;
  /** What the image was when the container was made. Absent for `host` and a rootfs. */
  readonly image?: { readonly id: string; readonly manifest: string };
  /** Command as `ps` shows it: the program and its arguments after the image's defaults. */
  readonly command: readonly string[];
  readonly writable: 'kernel' | 'fuse';
  /** Volumes by mount point in the container. */
  readonly volumes: Readonly<Record<string, string>>;
  /** Of the request or, where that has none, of the image. */
  readonly stopSignal?: string;
  readonly health?: HealthCheck;
  /** As `network limit` has set it. Absent: the request's. */
  readonly traffic?: TrafficRules;
  /** Its networks, as `network connect` and `disconnect` have made them. Absent: the request's. */
  readonly networks?: readonly NetworkAttachment[];
}

/** A container's place on a network while it runs. Empty strings and zero where there is no such thing. */
export interface EndpointState {
  /** 64 hexadecimal digits. */
  readonly id: string;
  /** Name of its interface. */
  readonly interface: string;
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string;
  readonly address6: string;
  readonly prefixLength6: number;
  readonly gateway6: string;
  readonly mac: string;
}

/** `restarting`: it has ended, and its restart policy will start it again in a while. */
export type ContainerStatus = 'created' | 'running' | 'restarting' | 'exited';

export interface ContainerState {
  readonly status: ContainerStatus;
  /** The container's first process, in the host's pid namespace; while it runs. */
  readonly process?: ProcessIdentity;
  readonly monitor?: ProcessIdentity;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  readonly exitCode?: number;
  readonly oomKilled?: boolean;
  /** Why it could not be started, or how it was lost. */
  readonly error?: string;
  /** Path of its cgroup, where it has limits; while it runs. */
  readonly cgroup?: string;
  /** Its processes are frozen; while it runs. */
  readonly paused?: boolean;
  /** One id is mapped; while it runs. */
  readonly hasSingleId?: boolean;
  /** It has been told to end by `stop` or `kill`: its restart policy does not count. */
  readonly isStopped?: boolean;
  /** What its restart policy has done since somebody started it. */
  readonly restarts?: {
    readonly count: number;
    /** Milliseconds that were waited before the last restart. */
    readonly delay: number;
    /** ISO 8601: when the next one is due. */
    readonly due?: string;
  };
  /** Counts starts, so that output and waits of one start are not taken for another's. */
  readonly starts: number;
  /** Bytes of the log's index at its last start: where its output begins. */
  readonly logStart: number;
  readonly network?: {
    /** By network, in the order in which they were joined. */
    readonly endpoints: Readonly<Record<string, EndpointState>>;
    /** The network that its default route goes to and its ports are published on; absent: none. */
    readonly outward?: string;
    readonly ports: readonly {
      readonly protocol: 'tcp' | 'udp';
      readonly hostAddress: string;
      readonly hostPort: number;
      readonly containerPort: number;
    }[];
  };
}

/** How much of a container's output is kept. */
export function logLimits({ request: { log } }: ContainerConfig): LogLimits {
  return log ?? { maxFiles: 1 };
}

/** What listings call a state: Docker knows `paused` besides. */
export function shownStatus({ status, paused }: ContainerState): ContainerStatus | 'paused' {
  return status === 'running' && paused === true ? 'paused' : status;
}

/** A container as read from disk. */
export interface Container {
  readonly folder: string;
  readonly config: ContainerConfig;
  readonly state: ContainerState;
}

/** One container by its full id; undefined where there is none, or it is half made or half removed. */
export function readContainer(paths: StatePaths, id: string): Container | undefined {
  const folder = join(paths.containers, id);
  const config = readJson<ContainerConfig>(join(folder, 'config.json'));
  const state = readJson<ContainerState>(join(folder, 'state.json'));
  return config === undefined || state === undefined ? undefined : { folder, config, state };
}

/** All containers, the newest first. */
export function listContainers(paths: StatePaths): Container[] {
  return containerIds(paths)
    .map((id) => readContainer(paths, id))
    .filter((container) => container !== undefined)
    .sort((a, b) => (a.config.created < b.config.created ? 1 : -1));
}

function containerIds(paths: StatePaths): string[] {
  return readdirSync(paths.containers).filter((id) => /^[0-9a-f]{64}$/.test(id));
}

/**
 * The container of that name, id, or beginning of an id. Throws NOT_FOUND or, where several ids begin so, INVALID, in
 * Docker's words. Of a full id reads that record alone; of others what they are called, until it is found.
 */
export function findContainer(paths: StatePaths, nameOrId: string): Container {
  const exact = /^[0-9a-f]{64}$/.test(nameOrId) ? readContainer(paths, nameOrId) : undefined;
  if (exact !== undefined) return exact;
  const ids = containerIds(paths);
  const name = nameOrId.replace(/^\//, '');
  for (const id of ids) {
    const config = readJson<ContainerConfig>(join(paths.containers, id, 'config.json'));
    const named = config?.name === name ? readContainer(paths, id) : undefined;
    if (named !== undefined) return named;
  }
  const matching = /^[0-9a-f]+$/.test(nameOrId)
    ? ids.filter((id) => id.startsWith(nameOrId)).flatMap((id) => readContainer(paths, id) ?? [])
    : [];
  if (matching.length > 1) throw new EngineError('INVALID', `multiple IDs found with provided prefix: ${nameOrId}`);
  if (matching[0] === undefined) throw new EngineError('NOT_FOUND', `No such container: ${nameOrId}`);
  return matching[0];
}
