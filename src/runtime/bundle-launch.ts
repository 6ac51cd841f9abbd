import type { Process, RuntimeSpec } from '../oci/runtime-spec.ts';
import type { PlannedMount } from './mount-stage.ts';

/** Fds that the program of a bundle's launch is started with, beside those of every plan (plan-layout.ts). */
export const BUNDLE_FD = {
  /** The unix socket that a terminal's master is sent to. */
  console: 5,
  /** The first of the caller's preserved fds, which the container's program finds from 3 on. */
  preserved: 64,
} as const;

/** Namespaces of a container: which are made, which joined; those that are neither are the caller's. */
export interface NamespacePlan {
  /** CLONE_NEW* flags. */
  readonly create: number;
  /** CLONE_NEW* flag and path of each that exists; the user namespace first. */
  readonly join: readonly { readonly flag: number; readonly path: string }[];
  /** Text for /proc/self/timens_offsets of a new time namespace. */
  readonly timeOffsets?: string;
}

/** What a program and its security labels need of a plan, for a container's first process as for `exec`. */
export interface BundleProcess {
  readonly process: Process;
  /** struct sock_filter array and flags of seccomp(2). */
  readonly seccomp?: { readonly filter: Buffer; readonly flags: number };
  /** How many fds from BUNDLE_FD.preserved on the program gets. */
  readonly preservedFds: number;
  /** The soft and hard limit of open files that the caller had; Node raised its own (setrlimit(2)). */
  readonly openFiles?: { readonly soft: number; readonly hard: number };
  /** A file of /proc/self/attr and what to write there before execve(2): an AppArmor profile or SELinux label. */
  readonly label?: { readonly file: string; readonly value: string };
  /** Which of stdin, stdout and stderr are the user's to have: not those that are /dev/null. */
  readonly ownedStdio: readonly number[];
}

/** Everything that the launch plan of a bundle is made from. Paths are the host's. */
export interface BundleLaunch extends BundleProcess {
  readonly spec: RuntimeSpec;
  readonly mounts: readonly PlannedMount[];
  /** Absolute. */
  readonly rootfs: string;
  /** The mount point that it lies on. */
  readonly rootfsMount: string;
  readonly namespaces: NamespacePlan;
  /** Where the container waits for the word to start: a folder, and the socket's name in it. */
  readonly startSocket: { readonly folder: string; readonly name: string };
  /** The caller waits for the end: the program stays, as the container's parent, and reports it. */
  readonly foreground: boolean;
  /** Stop once more before the root is changed: for the hooks `createContainer`. */
  readonly pauseInRuntimeRoot: boolean;
  /** Name of the session keyring to make; undefined: keep the caller's. */
  readonly keyring?: string;
  /** Move the root instead of pivot_root(2), which does not work on the initial ramfs. */
  readonly noPivot: boolean;
  /** Device nodes can be made: there is no user namespace between the container and the host. */
  readonly canMakeDevices: boolean;
  /** Other processes of the user may not look into the container before its program runs. */
  readonly hide: boolean;
}
