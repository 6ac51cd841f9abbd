import type { IdExtent } from '../base/id-extents.ts';
import type { RootSource } from '../base/root-source.ts';
import type { LaunchPlan } from '../monitor/plan.ts';
import type { RuntimeSpec } from '../oci/runtime-spec.ts';

/** Which network namespace the container gets. */
export type NetworkNamespace =
  | { readonly kind: 'new' }
  | { readonly kind: 'host' }
  /** Fd of the plan's process: a pidfd of a process that lives in it. */
  | { readonly kind: 'join'; readonly pidfd: number };

/** Which of its other namespaces a container does not have to itself. */
export interface SharedNamespaces {
  /** CLONE_NEW* of those that stay the host's: of IPC, PID and UTS. */
  readonly host: number;
  /** Those of another container, whose user namespace comes with them. */
  readonly join?: { readonly pidfd: number; readonly flags: number };
}

/** What a container's first process is made from. Paths are the host's. */
export interface ContainerInput {
  /** Process, mounts, hostname, masks, limits. Ids of its mappings are ignored: `map` counts. */
  readonly spec: RuntimeSpec;
  readonly root: RootSource;
  /** An empty folder of the host to mount the root on before the container turns to it. */
  readonly rootTarget: string;
  /** Pid of the holder whose user and mount namespaces are joined first. */
  readonly holderPid: number;
  /** Ids of its own user namespace, by the ids of the holder's; absent: it has none of its own. */
  readonly map: { readonly uid: readonly IdExtent[]; readonly gid: readonly IdExtent[] } | undefined;
  readonly shared?: SharedNamespaces;
  /** Keep the supplementary groups of the user. */
  readonly keepGroups?: boolean;
  readonly network: NetworkNamespace;
  /** Appends what the network driver wants done inside the container's network namespace. */
  readonly configureNetwork?: (plan: LaunchPlan) => void;
  /** `cgroup.procs` of the container's cgroup, absent where it has none of its own. */
  readonly cgroupProcs?: string;
  /** struct sock_filter array; absent: no filter. */
  readonly seccomp?: Buffer;
  /** Make the monitor's program PID 1, the container's program its child. */
  readonly init: boolean;
}

/** Everything that a launch plan is made from. */
export interface LaunchInput extends ContainerInput {
  /** Keep stdin open for clients that attach; without it the program reads /dev/null. */
  readonly openStdin: boolean;
  readonly supervision: SupervisionInput;
}

/** What the monitor needs for itself. */
export interface SupervisionInput {
  /** Folder that the monitor makes its socket in, and the socket's name: `sun_path` is too short for many a folder. */
  readonly socketFolder: string;
  readonly socketName: string;
  /** Where the wait(2) status goes, by way of the temporary name. */
  readonly exitPath: string;
  readonly exitTemporary: string;
  /** flock(2) that a living agent holds. */
  readonly agentLock: string;
  readonly agentArgv: readonly string[];
  readonly agentEnv: readonly string[];
}
