/** What `info` tells of an installation, under the names that Docker's `GET /info` has for it. */
import { readFileSync } from 'node:fs';
import { availableParallelism, hostname, machine, release, totalmem } from 'node:os';
import { limitsSupport } from '../cgroup/enter-delegated-scope.ts';
import { findHolder, findMapTools } from '../holder/holder.ts';
import { findIdMap } from '../holder/id-map.ts';
import { openImageStore } from '../image/image-store.ts';
import { listImages } from '../image/queries/list-images.ts';
import type { StatePaths } from '../state/paths.ts';
import { listContainers, shownStatus } from './container.ts';
import { fileServers, type FileServerInfo } from './file-servers.ts';
import { isLost } from './processes.ts';
import { listVolumes } from './volumes.ts';
import packageJson from '../../package.json' with { type: 'json' };

export interface SystemInfo {
  readonly Containers: number;
  readonly ContainersRunning: number;
  readonly ContainersPaused: number;
  readonly ContainersStopped: number;
  readonly Images: number;
  readonly Volumes: number;
  readonly ServerVersion: string;
  readonly DockerRootDir: string;
  readonly RunDir: string;
  readonly CgroupDriver: string;
  readonly CgroupVersion: string;
  readonly MemoryLimit: boolean;
  readonly CpuCfsQuota: boolean;
  readonly PidsLimit: boolean;
  readonly IdMap: string;
  readonly HolderPid: number;
  readonly SecurityOptions: readonly string[];
  readonly KernelVersion: string;
  readonly OperatingSystem: string;
  readonly OSType: string;
  readonly Architecture: string;
  readonly NCPU: number;
  /** Bytes. */
  readonly MemTotal: number;
  readonly Name: string;
  /** What the processes that serve file systems have done; those that run. */
  readonly FileServers: Readonly<Record<string, FileServerInfo>>;
  readonly Warnings: readonly string[];
}

/** Reads it all from the state folder and the host; starts nothing. */
export async function systemInfo(paths: StatePaths): Promise<SystemInfo> {
  const containers = listContainers(paths);
  const running = containers.filter((each) => each.state.status === 'running' && !isLost(each)).length;
  const problems: string[] = [];
  const images = listImages(openImageStore(paths.images), (error) => problems.push(error.message));
  const limits = await limitsSupport();
  const map = findHolder(paths)?.map ?? findIdMap(findMapTools() !== undefined);
  return {
    Containers: containers.length,
    ContainersRunning: running,
    ContainersPaused: containers.filter((each) => shownStatus(each.state) === 'paused').length,
    ContainersStopped: containers.length - running,
    Images: images.length,
    Volumes: listVolumes(paths).length,
    ServerVersion: packageJson.version,
    DockerRootDir: paths.root,
    RunDir: paths.run,
    CgroupDriver: limits.available ? 'cgroupfs' : 'none',
    CgroupVersion: limits.available ? '2' : '',
    MemoryLimit: limits.controllers.includes('memory'),
    CpuCfsQuota: limits.controllers.includes('cpu'),
    PidsLimit: limits.controllers.includes('pids'),
    IdMap: map.kind,
    HolderPid: findHolder(paths)?.process.pid ?? 0,
    SecurityOptions: ['name=seccomp,profile=builtin', ...(map.kind === 'identity' ? [] : ['name=rootless'])],
    KernelVersion: release(),
    OperatingSystem: operatingSystem(),
    OSType: 'linux',
    Architecture: machine(),
    NCPU: availableParallelism(),
    MemTotal: totalmem(),
    Name: hostname(),
    FileServers: await fileServers(paths),
    Warnings: [
      ...(limits.reason === '' ? [] : [`No limits: ${limits.reason}`]),
      ...(map.reason === undefined ? [] : [`One user id alone: ${map.reason}`]),
      ...problems,
    ],
  };
}

/** os-release(5). */
function operatingSystem(): string {
  try {
    const text = readFileSync('/etc/os-release', 'utf8');
    return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1] ?? 'Linux';
  } catch {
    return 'Linux';
  }
}
