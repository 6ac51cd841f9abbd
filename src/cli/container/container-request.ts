/** Turns the flags of `run` and `create` into what the engine is asked for. */
import { isIP } from 'node:net';
import { resolve } from 'node:path';
import type { TrafficRules } from '../../base/traffic.ts';
import type { ContainerRequest } from '../../engine/container.ts';
import type { ContainerOptions } from '../../oci/image-to-spec.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { parseAddHost } from '../../oci/options/add-host.ts';
import { parseEnv, parseEnvFile } from '../../oci/options/env.ts';
import { parseExpose } from '../../oci/options/expose.ts';
import { parseHostname } from '../../oci/options/hostname.ts';
import { parseLabel } from '../../oci/options/label.ts';
import { parseLogOptions } from '../../oci/options/log.ts';
import { parseMount } from '../../oci/options/mount.ts';
import { parsePublish } from '../../oci/options/publish.ts';
import { parseRestart } from '../../oci/options/restart.ts';
import { parseSecurityOptions } from '../../oci/options/security-opt.ts';
import { parseSize } from '../../oci/options/size.ts';
import { parseTmpfs } from '../../oci/options/tmpfs.ts';
import { parseSysctl } from '../../oci/options/sysctl.ts';
import { parseUlimit } from '../../oci/options/ulimit.ts';
import { parseVolume } from '../../oci/options/volume.ts';
import { readProfile, type SeccompProfile } from '../../oci/seccomp/profile.ts';
import type { FlagValues } from '../flags/flag.ts';
import { decodeFlag } from '../flags/parse-flags.ts';
import { readOption } from '../flags/read-option.ts';
import { UsageError } from '../flags/usage-error.ts';
import { CONTAINER_FLAGS } from './container-flags.ts';
import { healthOptions } from './health-options.ts';
import { isolationOptions } from './isolation-options.ts';
import { resourceLimits } from './resource-limits.ts';
import { storageOptions } from './storage-options.ts';
import { readTraffic } from './traffic-rules.ts';
import { networkAttachments } from './network-request.ts';

export type ContainerFlags = FlagValues<typeof CONTAINER_FLAGS>;
type FlagName = keyof ContainerFlags;
type Draft<T> = { -readonly [K in keyof T]: T[K] };

/** What values are read against. */
export interface DecodeSurroundings {
  /** The command as typed. */
  readonly command: string;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly cwd: string;
}

/** Throws UsageError with the flag's name. */
function decode<R>(name: FlagName, text: string, parse: (text: string) => R): R {
  return decodeFlag(CONTAINER_FLAGS, name, text, parse);
}

function decodeAll<R>(name: FlagName, texts: readonly string[], parse: (text: string) => R): R[] {
  return texts.map((text) => decode(name, text, parse));
}

/** The request that the flags and arguments stand for. Throws UsageError or InvalidInput. */
export function containerRequest(
  flags: ContainerFlags,
  args: readonly string[],
  surroundings: DecodeSurroundings,
): ContainerRequest {
  const { cwd } = surroundings;
  const networks = networkAttachments(flags);
  const { network } = networks[0]!;
  checkConflicts(flags, network);
  const [image, ...command] = flags.rootfs === undefined ? args : ['', ...args];
  if (image === undefined) throw new UsageError(`"trun ${surroundings.command}" requires at least 1 argument.`);
  if (image === '' && flags.rootfs === undefined)
    throw new InvalidInput('invalid reference format: the image is empty');
  const security = securityOptions(flags, cwd);
  const health = healthOptions(flags);
  const { name, rootfs, 'stop-signal': stopSignal, 'stop-timeout': stopTimeout } = flags;
  return {
    image,
    ...(name === undefined ? {} : { name }),
    ...(rootfs === undefined ? {} : { rootfs: resolve(cwd, rootfs) }),
    options: containerOptions(flags, command, security, surroundings),
    mounts: [
      ...decodeAll('volume', flags.volume, (text) => parseVolume(text, cwd)),
      ...decodeAll('mount', flags.mount, parseMount),
      ...decodeAll('tmpfs', flags.tmpfs, parseTmpfs),
    ],
    ports: decodeAll('publish', flags.publish, parsePublish).flat(),
    publishAll: flags['publish-all'],
    ...(flags.expose.length === 0 ? {} : { exposed: decodeAll('expose', flags.expose, parseExpose).flat() }),
    network,
    networks,
    ...trafficRules(flags, network),
    extraHosts: decodeAll('add-host', flags['add-host'], parseAddHost).map(({ name, address }) => ({
      address,
      names: [name],
    })),
    dns: {
      servers: decodeAll('dns', flags.dns, parseDnsServer),
      search: flags['dns-search'],
      options: [...flags['dns-opt'], ...flags['dns-option']],
    },
    labels: labels(flags, cwd),
    openStdin: flags.interactive,
    autoRemove: flags.rm,
    init: flags.init,
    ...(stopSignal === undefined ? {} : { stopSignal }),
    ...(stopTimeout === undefined ? {} : { stopTimeout }),
    ...(health === undefined ? {} : { health }),
    ...(flags.restart === undefined ? {} : { restart: decode('restart', flags.restart, parseRestart) }),
    ...isolationOptions(flags),
    ...logOptions(flags),
    seccomp: security.seccomp,
    storage: storageOptions(flags['storage-opt']),
  };
}

function sysctlOptions({ sysctl }: ContainerFlags): Pick<ContainerOptions, 'sysctls'> {
  return sysctl.length === 0 ? {} : { sysctls: Object.fromEntries(decodeAll('sysctl', sysctl, parseSysctl)) };
}

function logOptions(flags: ContainerFlags): Pick<ContainerRequest, 'log'> {
  const { 'log-driver': driver, 'log-opt': options } = flags;
  if (driver === undefined && options.length === 0) return {};
  return { log: parseLogOptions(driver, options) };
}

/** Options that exclude each other, in Docker's words. */
function checkConflicts(flags: ContainerFlags, network: string): void {
  if (flags.rootfs !== undefined && flags.platform !== undefined) {
    throw new UsageError('conflicting options: --rootfs and --platform');
  }
  if (flags.rm && ![undefined, '', 'no'].includes(flags.restart)) {
    throw new UsageError('conflicting options: cannot specify both --restart and --rm');
  }
  if (network.startsWith('container:')) {
    if (flags.hostname !== undefined) throw new UsageError('conflicting options: hostname and the network mode');
    if (flags.publish.length > 0 || flags['publish-all']) {
      throw new UsageError('conflicting options: port publishing and the container type network mode');
    }
    if (flags.dns.length > 0) throw new UsageError('conflicting options: dns and the network mode');
    if (flags['add-host'].length > 0) {
      throw new UsageError('conflicting options: custom host-to-IP mapping and the network mode');
    }
  }
}

function trafficRules(flags: ContainerFlags, network: string): { traffic?: TrafficRules } {
  const traffic = readTraffic(CONTAINER_FLAGS, flags);
  if (Object.keys(traffic).length === 0) return {};
  if (network === 'host' || network.startsWith('container:'))
    throw new UsageError('conflicting options: rules of traffic and the network mode');
  return { traffic };
}

type Security = Pick<ContainerRequest, 'seccomp'> &
  Pick<ContainerOptions, 'noNewPrivileges' | 'systemPathsUnconfined' | 'mask' | 'unmask'>;

function securityOptions(flags: ContainerFlags, cwd: string): Security {
  const { seccomp, ...rest } = decode('security-opt', flags['security-opt'].at(-1) ?? '', () =>
    parseSecurityOptions(flags['security-opt']),
  );
  return { seccomp: typeof seccomp === 'string' ? seccomp : readSeccomp(seccomp.file, cwd), ...rest };
}

function readSeccomp(file: string, cwd: string): SeccompProfile {
  return readProfile(new TextDecoder().decode(readOption(file, cwd)), file);
}

function containerOptions(
  flags: ContainerFlags,
  args: readonly string[],
  { noNewPrivileges, systemPathsUnconfined, mask = [], unmask = [] }: Security,
  { env, cwd }: DecodeSurroundings,
): ContainerOptions {
  const { entrypoint, workdir, user, domainname, hostname, 'shm-size': shmSize, 'oom-score-adj': oomScoreAdj } = flags;
  if (workdir !== undefined && !workdir.startsWith('/')) {
    throw new InvalidInput(`the working directory '${workdir}' is invalid, it needs to be an absolute path`);
  }
  if (oomScoreAdj !== undefined && Math.abs(oomScoreAdj) > 1000) {
    throw new InvalidInput(`Invalid value ${oomScoreAdj}, range for oom score adj is [-1000, 1000]`);
  }
  const options: Draft<ContainerOptions> = {
    args,
    env: [
      ...flags['env-file'].flatMap((file) => parseEnvFile(readOption(file, cwd), file, env)),
      ...decodeAll('env', flags.env, (text) => parseEnv(text, env)),
    ],
    groupAdd: flags['group-add'].filter((name) => name !== 'keep-groups'),
    ...sysctlOptions(flags),
    ...(mask.length === 0 ? {} : { mask }),
    ...(unmask.length === 0 ? {} : { unmask }),
    tty: flags.tty,
    readOnly: flags['read-only'],
    capAdd: flags['cap-add'],
    capDrop: flags['cap-drop'],
    privileged: flags.privileged,
    ulimits: decodeAll('ulimit', flags.ulimit, parseUlimit),
    limits: resourceLimits(flags),
  };
  if (entrypoint !== undefined) options.entrypoint = entrypoint;
  if (workdir !== undefined) options.workdir = workdir;
  if (user !== undefined) options.user = user;
  if (hostname !== undefined) options.hostname = decode('hostname', hostname, parseHostname);
  if (domainname !== undefined) options.domainname = domainname;
  if (noNewPrivileges !== undefined) options.noNewPrivileges = noNewPrivileges;
  if (systemPathsUnconfined !== undefined) options.systemPathsUnconfined = systemPathsUnconfined;
  if (shmSize !== undefined) options.shmSize = decode('shm-size', shmSize, parseSize);
  if (oomScoreAdj !== undefined) options.oomScoreAdj = oomScoreAdj;
  return options;
}

function labels(flags: ContainerFlags, cwd: string): Record<string, string> {
  const lines = flags['label-file'].flatMap((file) => parseEnvFile(readOption(file, cwd), file, {}));
  return Object.fromEntries([...lines.map(parseLabel), ...decodeAll('label', flags.label, parseLabel)]);
}

function parseDnsServer(text: string): string {
  if (isIP(text) === 0) throw new InvalidInput(`${text} is not an ip address`);
  return text;
}
