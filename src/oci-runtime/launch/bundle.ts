/** A bundle: a folder with config.json and, by that, a root file system. */
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';
import { errorCode } from '../../base/error-code.ts';
import type { Process, RuntimeSpec } from '../../oci/runtime-spec.ts';
import { sysctlPath } from '../../oci/sysctl.ts';
import { readSpec } from '../../oci/validate-spec.ts';
import { RuntimeError } from '../runtime-error.ts';

export interface Bundle {
  /** Absolute. */
  readonly path: string;
  readonly configPath: string;
  readonly spec: RuntimeSpec;
  /** Absolute, without links. */
  readonly rootfs: string;
}

export function openBundle(path: string): Bundle {
  const bundle = resolve(path);
  const configPath = join(bundle, 'config.json');
  const spec = readConfig(configPath);
  const root = spec.root?.path;
  if (root === undefined || root === '') throw new RuntimeError(`${configPath}: root.path: is missing`);
  const rootfs = isAbsolute(root) ? root : join(bundle, root);
  try {
    if (!statSync(rootfs).isDirectory()) throw new RuntimeError(`invalid rootfs: ${rootfs} is not a directory`);
    return { path: bundle, configPath, spec, rootfs: realpathSync(rootfs) };
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    throw new RuntimeError(`invalid rootfs: ${(error as Error).message}`);
  }
}

export function readConfig(configPath: string): RuntimeSpec {
  let text;
  try {
    text = readFileSync(configPath, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') throw new RuntimeError(`JSON specification file ${configPath} not found`);
    throw new RuntimeError(`cannot read ${configPath}: ${(error as Error).message}`);
  }
  const spec = readSpec(text, configPath);
  checkConsistency(spec);
  return spec;
}

/** What a bundle without a process runs: it can be created, and `start` refuses it. */
export const NO_PROCESS: Process = { user: { uid: 0, gid: 0 }, args: [], cwd: '/' };

/** What each field says by itself is in order, but together they cannot be meant. */
function checkConsistency({ hostname = '', domainname = '', linux = {} }: RuntimeSpec): void {
  const types = (linux.namespaces ?? []).map(({ type }) => type);
  const user = linux.namespaces?.find(({ type }) => type === 'user');
  if (linux.intelRdt !== undefined) throw new RuntimeError('linux.intelRdt is not supported by trun-oci');
  if ((hostname !== '' || domainname !== '') && !types.includes('uts')) {
    throw new RuntimeError('unable to set hostname without a private UTS namespace');
  }
  if (user !== undefined && user.path === undefined) {
    if ((linux.uidMappings ?? []).length === 0) throw new RuntimeError('a new user namespace needs linux.uidMappings');
    if ((linux.gidMappings ?? []).length === 0) throw new RuntimeError('a new user namespace needs linux.gidMappings');
  }
  if (linux.timeOffsets !== undefined && !types.includes('time') && Object.keys(linux.timeOffsets).length > 0) {
    throw new RuntimeError('linux.timeOffsets need a time namespace');
  }
  for (const name of Object.keys(linux.sysctl ?? {})) checkSysctl(name, types);
  if (!types.includes('mount') && ((linux.maskedPaths ?? []).length > 0 || (linux.readonlyPaths ?? []).length > 0)) {
    throw new RuntimeError('unable to restrict sys entries without a private MNT namespace');
  }
}

/** Parameters that a namespace of the container's keeps: the others are the host's, and not the container's to set. */
const IPC_SYSCTLS = /^kernel\.(?:msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)$|^fs\.mqueue\./;

function checkSysctl(name: string, types: readonly string[]): void {
  // Both `net.ipv4.ip_forward` and `net/ipv4/ip_forward` are in use: sysctl.d(5).
  const dotted = sysctlPath(name).replaceAll('/', '.');
  const owner = dotted.startsWith('net.')
    ? 'network'
    : IPC_SYSCTLS.test(dotted)
      ? 'ipc'
      : ['kernel.hostname', 'kernel.domainname'].includes(dotted)
        ? 'uts'
        : dotted.startsWith('user.')
          ? 'user'
          : undefined;
  if (owner === undefined) throw new RuntimeError(`sysctl "${name}" is not in a separate kernel namespace`);
  if (!types.includes(owner)) throw new RuntimeError(`sysctl "${name}" is not allowed in the hosts ${owner} namespace`);
}
