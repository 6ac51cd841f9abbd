/** The flags before the command, and what they come to. */
import { join } from 'node:path';
import type { FlagTable, FlagValues } from '../cli/flags/flag.ts';

export const GLOBAL_FLAGS = {
  root: { kind: 'text', help: 'root folder of the containers’ state' },
  log: { kind: 'text', help: 'file to append messages to, instead of stderr' },
  'log-format': { kind: 'text', preset: 'text', help: 'text or json' },
  'log-level': { kind: 'text', help: 'debug, info, warning or error' },
  debug: { kind: 'boolean', help: 'log what is done' },
  'systemd-cgroup': {
    kind: 'boolean',
    help: 'have systemd make the cgroups; a cgroups path is then slice:prefix:name',
  },
  'cgroup-manager': { kind: 'text', help: 'cgroupfs, systemd or disabled' },
  rootless: { kind: 'text', preset: 'auto', help: 'true, false or auto: do without cgroups that are refused' },
  criu: { kind: 'text', help: 'ignored', hidden: true },
  version: { kind: 'boolean', short: 'v', help: 'print the version' },
} as const satisfies FlagTable;

export interface Surroundings {
  /** Folder with a folder for each container. */
  readonly root: string;
  readonly cgroupManager: 'cgroupfs' | 'systemd' | 'disabled';
  /** The caller is not root of the host: cgroups that nobody asked limits for may be refused. */
  readonly rootless: boolean;
  readonly env: Readonly<NodeJS.ProcessEnv>;
}

export function surroundings(
  flags: FlagValues<typeof GLOBAL_FLAGS>,
  env: Readonly<NodeJS.ProcessEnv>,
  hostRoot: boolean,
): Surroundings {
  const named = flags['cgroup-manager'];
  const manager = named ?? (flags['systemd-cgroup'] ? 'systemd' : 'cgroupfs');
  if (manager !== 'cgroupfs' && manager !== 'systemd' && manager !== 'disabled') {
    throw new Error(`--cgroup-manager: must be cgroupfs, systemd or disabled, not '${manager}'`);
  }
  const asked = flags.rootless.toLowerCase();
  return {
    root: flags.root ?? defaultRoot(env, hostRoot),
    cgroupManager: manager,
    rootless: asked === 'auto' ? !hostRoot : ['true', '1', 't'].includes(asked),
    env,
  };
}

/** As runc: the host's root has the host's, others (root of an engine's user namespace, too) their run-time folder. */
function defaultRoot({ XDG_RUNTIME_DIR: runtime }: Readonly<NodeJS.ProcessEnv>, hostRoot: boolean): string {
  if (hostRoot) return '/run/trun-oci';
  return runtime === undefined || runtime === '' ? `/tmp/trun-oci-${process.geteuid!()}` : join(runtime, 'trun-oci');
}
