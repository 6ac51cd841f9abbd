/** A container in the shape of Docker's `GET /containers/{id}/json`, as `inspect` prints it. */
import { join } from 'node:path';
import type { StatePaths } from '../state/paths.ts';
import type { DeviceNumber } from '../oci/options/device-rate.ts';
import type { HealthCheck } from '../oci/options/health.ts';
import type { NamespaceChoice } from '../oci/options/namespaces.ts';
import { type Container, shownStatus } from './container.ts';
import { NEW_HEALTH, readHealth } from './health.ts';
import { networkSettings } from './inspect-networks.ts';
import { volumeData } from './volumes.ts';

/** Docker's "never". */
const NO_TIME = '0001-01-01T00:00:00Z';

export function inspectContainer(paths: StatePaths, container: Container): object {
  const { folder, config, state } = container;
  const { request } = config;
  const [path = '', ...args] = config.command;
  const isUp = state.status === 'running' || state.status === 'restarting';
  return {
    Id: config.id,
    Created: config.created,
    Path: path,
    Args: args,
    State: {
      Status: shownStatus(state),
      Running: isUp,
      Paused: state.status === 'running' && state.paused === true,
      Restarting: state.status === 'restarting',
      OOMKilled: state.oomKilled ?? false,
      Dead: false,
      Pid: state.status === 'running' ? (state.process?.pid ?? 0) : 0,
      ExitCode: state.exitCode ?? 0,
      Error: state.error ?? '',
      StartedAt: state.startedAt ?? NO_TIME,
      FinishedAt: state.finishedAt ?? NO_TIME,
      // There for templates, and left out of JSON, as Docker has it.
      Health: config.health === undefined ? undefined : health(folder),
    },
    Image: config.image?.id ?? request.image,
    ResolvConfPath: join(folder, 'resolv.conf'),
    HostnamePath: join(folder, 'hostname'),
    HostsPath: join(folder, 'hosts'),
    LogPath: join(folder, 'stdout.log'),
    Name: `/${config.name}`,
    RestartCount: state.restarts?.count ?? 0,
    Driver: config.writable === 'kernel' ? 'overlay' : 'fuse-overlay',
    Platform: 'linux',
    HostConfig: hostConfig(container),
    Mounts: mounts(paths, container),
    Config: {
      Hostname: request.options.hostname ?? config.id.slice(0, 12),
      Domainname: request.options.domainname ?? '',
      User: request.options.user ?? '',
      AttachStdin: request.openStdin,
      Tty: request.options.tty ?? false,
      OpenStdin: request.openStdin,
      Env: request.options.env ?? [],
      Cmd: request.options.args ?? [],
      Image: request.image,
      WorkingDir: request.options.workdir ?? '',
      Entrypoint: request.options.entrypoint === undefined ? null : [request.options.entrypoint],
      ...(request.exposed === undefined
        ? {}
        : {
            ExposedPorts: Object.fromEntries(
              request.exposed.map(({ containerPort, protocol }) => [`${containerPort}/${protocol}`, {}]),
            ),
          }),
      Labels: request.labels,
      ...(config.stopSignal === undefined ? {} : { StopSignal: config.stopSignal }),
      ...(config.health === undefined ? {} : { Healthcheck: healthcheck(config.health) }),
      ...(request.stopTimeout === undefined ? {} : { StopTimeout: request.stopTimeout }),
    },
    NetworkSettings: networkSettings(paths, container),
  };
}

function hostConfig({ config: { request } }: Container): object {
  const { options, mounts: wanted } = request;
  const { limits = {} } = options;
  return {
    Binds: wanted.flatMap((mount) =>
      mount.type === 'bind' ? [`${mount.source}:${mount.target}${mount.readOnly ? ':ro' : ''}`] : [],
    ),
    IpcMode: namespaceMode(request.ipc),
    PidMode: namespaceMode(request.pid),
    UTSMode: namespaceMode(request.uts),
    UsernsMode: request.userns === undefined || request.userns === 'private' ? '' : request.userns,
    Devices: (request.devices ?? []).map(({ source, target }) => ({
      PathOnHost: source,
      PathInContainer: target,
      CgroupPermissions: 'rwm',
    })),
    Sysctls: options.sysctls ?? {},
    Annotations: request.annotations ?? {},
    LogConfig: { Type: request.log?.driver ?? 'json-file', Config: request.log?.options ?? {} },
    NetworkMode: request.network,
    PortBindings: Object.fromEntries(
      request.ports.map(({ containerPort, protocol, hostIp, hostPorts }) => [
        `${containerPort}/${protocol}`,
        [{ HostIp: hostIp, HostPort: hostPorts[0] === 0 ? '' : String(hostPorts[0]) }],
      ]),
    ),
    RestartPolicy: {
      Name: request.restart?.name ?? 'no',
      MaximumRetryCount: request.restart?.maximumRetryCount ?? 0,
    },
    AutoRemove: request.autoRemove,
    CapAdd: options.capAdd ?? null,
    CapDrop: options.capDrop ?? null,
    Dns: request.dns.servers,
    DnsOptions: request.dns.options,
    DnsSearch: request.dns.search,
    ExtraHosts: request.extraHosts.flatMap(({ address, names }) => names.map((name) => `${name}:${address}`)),
    GroupAdd: options.groupAdd ?? null,
    Privileged: options.privileged ?? false,
    PublishAllPorts: request.publishAll,
    ReadonlyRootfs: options.readOnly ?? false,
    SecurityOpt: [
      ...(options.noNewPrivileges === true ? ['no-new-privileges'] : []),
      ...(request.seccomp === 'unconfined' ? ['seccomp=unconfined'] : []),
    ],
    ShmSize: options.shmSize ?? 64 << 20,
    Ulimits: (options.ulimits ?? []).map(({ type, soft, hard }) => ({
      Name: type.replace('RLIMIT_', '').toLowerCase(),
      Soft: soft,
      Hard: hard,
    })),
    Memory: limits.memory ?? 0,
    MemorySwap: limits.memorySwap ?? (limits.memory === undefined ? 0 : 2 * limits.memory),
    NanoCpus: Math.round((limits.cpus ?? 0) * 1e9),
    MemoryReservation: limits.memoryReservation ?? 0,
    CpuShares: limits.cpuShares ?? 0,
    CpuPeriod: limits.cpuPeriod ?? 0,
    CpuQuota: limits.cpuQuota ?? 0,
    CpusetCpus: limits.cpusetCpus ?? '',
    CpusetMems: limits.cpusetMems ?? '',
    PidsLimit: limits.pids ?? null,
    BlkioWeight: limits.blkioWeight ?? 0,
    BlkioWeightDevice: (limits.blkioWeightDevice ?? []).map(({ device, value }) => ({ Path: device, Weight: value })),
    BlkioDeviceReadBps: deviceRates(limits.deviceReadBps),
    BlkioDeviceWriteBps: deviceRates(limits.deviceWriteBps),
    BlkioDeviceReadIOps: deviceRates(limits.deviceReadIops),
    BlkioDeviceWriteIOps: deviceRates(limits.deviceWriteIops),
    OomScoreAdj: options.oomScoreAdj ?? 0,
    Init: request.init,
  };
}

function deviceRates(rates: readonly DeviceNumber[] = []): object[] {
  return rates.map(({ device, value }) => ({ Path: device, Rate: value }));
}

function health(folder: string): object {
  const { status, failingStreak, log } = readHealth(folder) ?? NEW_HEALTH;
  return {
    Status: status,
    FailingStreak: failingStreak,
    Log: log.map(({ start, end, exitCode, output }) => ({
      Start: start,
      End: end,
      ExitCode: exitCode,
      Output: output,
    })),
  };
}

/** In Docker's unit, the nanosecond. */
function healthcheck({ test, interval, timeout, startPeriod, startInterval, retries }: HealthCheck): object {
  return {
    Test: test,
    Interval: interval * 1e6,
    Timeout: timeout * 1e6,
    StartPeriod: startPeriod * 1e6,
    StartInterval: startInterval * 1e6,
    Retries: retries,
  };
}

/** Docker writes its own namespace as nothing. */
function namespaceMode(choice: NamespaceChoice | 'none' = 'private'): string {
  if (typeof choice === 'object') return `container:${choice.container}`;
  return choice === 'private' ? '' : choice;
}

function mounts(paths: StatePaths, { config }: Container): object[] {
  const listed: object[] = config.request.mounts.map((mount) => {
    if (mount.type === 'tmpfs')
      return {
        Type: 'tmpfs',
        Source: '',
        Destination: mount.target,
        Mode: mount.options.join(','),
        RW: true,
        Propagation: '',
      };
    if (mount.type === 'volume')
      return volumeMount(paths, config.volumes[mount.target]!, mount.target, !mount.readOnly);
    const { source, target, readOnly, propagation } = mount;
    return {
      Type: 'bind',
      Source: source,
      Destination: target,
      Mode: readOnly ? 'ro' : '',
      RW: !readOnly,
      Propagation: propagation,
    };
  });
  for (const [target, name] of Object.entries(config.volumes)) {
    if (!config.request.mounts.some((mount) => mount.target === target))
      listed.push(volumeMount(paths, name, target, true));
  }
  return listed;
}

function volumeMount(paths: StatePaths, name: string, target: string, writable: boolean): object {
  return {
    Type: 'volume',
    Name: name,
    Source: volumeData(paths, name),
    Destination: target,
    Driver: 'local',
    Mode: 'z',
    RW: writable,
    Propagation: '',
  };
}
