import { statSync } from 'node:fs';

/** A number that goes with a block device. */
interface DeviceNumber {
  /** Path of the device. */
  readonly device: string;
  readonly value: number;
}

/** Limits of one container, in Docker's numbers; what is absent is unlimited. */
export interface CgroupLimits {
  /** Bytes. */
  memory?: number;
  /** Bytes of memory and swap together, as Docker counts; -1 is as much swap as there is. */
  memorySwap?: number;
  /** Bytes. */
  memoryReservation?: number;
  /** Processors' worth of time. */
  cpus?: number;
  /** Microseconds, and of how many; -1: no limit. */
  cpuQuota?: number;
  cpuPeriod?: number;
  /** 2 to 262144. */
  cpuShares?: number;
  /** cpuset(7), "List format". */
  cpusetCpus?: string;
  cpusetMems?: string;
  /** Processes and threads; -1: no limit. */
  pids?: number;
  /** 10 to 1000. */
  blkioWeight?: number;
  blkioWeightDevice?: readonly DeviceNumber[];
  /** A second. */
  deviceReadBps?: readonly DeviceNumber[];
  deviceWriteBps?: readonly DeviceNumber[];
  deviceReadIops?: readonly DeviceNumber[];
  deviceWriteIops?: readonly DeviceNumber[];
}

export type Controller = 'cpu' | 'cpuset' | 'io' | 'memory' | 'pids';

/** A file of a cgroup and what to write there. */
export interface LimitFile {
  controller: Controller;
  name: string;
  value: string;
  /** Go on where the kernel does not have the file. */
  optional?: boolean;
  /** The file to take where the kernel does not have this one, and its value. */
  otherwise?: { name: string; value: string };
}

/** Microseconds over which CPU time is shared out; the kernel's and Docker's default. */
const CPU_PERIOD = 100_000;
/** The kernel takes no quota below a millisecond (kernel/sched/core.c: min_cfs_quota_period). */
const LEAST_QUOTA = 1_000;

/** What to write for `limits`: cgroup-v2.rst, "Controllers". Throws where a device is not there. */
export function limitFiles(limits: CgroupLimits): LimitFile[] {
  return [
    ...memoryFiles(limits),
    ...cpuFiles(limits),
    ...cpusetFiles(limits),
    ...pidsFiles(limits),
    ...ioFiles(limits),
  ];
}

function memoryFiles({ memory, memorySwap, memoryReservation }: CgroupLimits): LimitFile[] {
  const files: LimitFile[] = [];
  if (memory !== undefined) {
    files.push({ controller: 'memory', name: 'memory.max', value: String(memory) });
    // Version 2 counts swap alone. Docker's default is as much of it as memory.
    const swap = memorySwap === undefined ? memory : memorySwap - memory;
    const value = memorySwap === -1 ? 'max' : String(Math.max(swap, 0));
    // Kernels without swap, or booted with swapaccount=0, do not have it.
    files.push({ controller: 'memory', name: 'memory.swap.max', value, optional: true });
  }
  if (memoryReservation !== undefined) {
    files.push({ controller: 'memory', name: 'memory.low', value: String(memoryReservation) });
  }
  return files;
}

function cpuFiles({ cpus, cpuQuota, cpuPeriod, cpuShares }: CgroupLimits): LimitFile[] {
  const files: LimitFile[] = [];
  if (cpus !== undefined) {
    const quota = Math.max(Math.round(cpus * CPU_PERIOD), LEAST_QUOTA);
    files.push({ controller: 'cpu', name: 'cpu.max', value: `${quota} ${CPU_PERIOD}` });
  } else if (cpuQuota !== undefined || cpuPeriod !== undefined) {
    const quota = cpuQuota === undefined || cpuQuota < 0 ? 'max' : String(cpuQuota);
    files.push({ controller: 'cpu', name: 'cpu.max', value: `${quota} ${cpuPeriod ?? CPU_PERIOD}` });
  }
  if (cpuShares !== undefined)
    files.push({ controller: 'cpu', name: 'cpu.weight', value: String(cpuWeight(cpuShares)) });
  return files;
}

function cpusetFiles({ cpusetCpus, cpusetMems }: CgroupLimits): LimitFile[] {
  return [
    ...(cpusetCpus === undefined ? [] : [{ controller: 'cpuset', name: 'cpuset.cpus', value: cpusetCpus } as const]),
    ...(cpusetMems === undefined ? [] : [{ controller: 'cpuset', name: 'cpuset.mems', value: cpusetMems } as const]),
  ];
}

function pidsFiles({ pids }: CgroupLimits): LimitFile[] {
  return pids === undefined ? [] : [{ controller: 'pids', name: 'pids.max', value: pids < 0 ? 'max' : String(pids) }];
}

function ioFiles(limits: CgroupLimits): LimitFile[] {
  const files: LimitFile[] = [];
  const { blkioWeight, blkioWeightDevice = [] } = limits;
  if (blkioWeight !== undefined) files.push(weightFile('default ', blkioWeight));
  for (const { device, value } of blkioWeightDevice) files.push(weightFile(`${deviceNumbers(device)} `, value));
  const rates = [
    ['rbps', limits.deviceReadBps],
    ['wbps', limits.deviceWriteBps],
    ['riops', limits.deviceReadIops],
    ['wiops', limits.deviceWriteIops],
  ] as const;
  for (const [key, list = []] of rates) {
    for (const { device, value } of list) {
      const rate = value === 0 ? 'max' : String(value);
      files.push({ controller: 'io', name: 'io.max', value: `${deviceNumbers(device)} ${key}=${rate}` });
    }
  }
  return files;
}

/** BFQ has a file of its own, with the range of version 1; the cost model's (io.weight) goes to 10000. */
function weightFile(of: string, weight: number): LimitFile {
  const scaled = 1 + Math.trunc(((weight - 10) * 9999) / 990);
  return {
    controller: 'io',
    name: 'io.bfq.weight',
    value: `${of}${weight}`,
    otherwise: { name: 'io.weight', value: `${of}${scaled}` },
  };
}

/** Shares of 2 to 262144 on the scale of 1 to 10000, as the OCI runtimes map them. */
function cpuWeight(shares: number): number {
  return 1 + Math.trunc(((Math.min(Math.max(shares, 2), 262_144) - 2) * 9999) / 262_142);
}

/** `major:minor` of a block device: makedev(3) of glibc, as st_rdev has it. */
function deviceNumbers(path: string): string {
  const { rdev, mode } = statSync(path);
  if ((mode & 0o170000) !== 0o060000) throw new Error(`${path} is not a block device`);
  const number = BigInt(rdev);
  const major = ((number >> 8n) & 0xfffn) | ((number >> 32n) & 0xfffff000n);
  const minor = (number & 0xffn) | ((number >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

/** The controllers that `limits` take. */
export function controllersFor(limits: CgroupLimits): Controller[] {
  return [...new Set(limitFiles(limits).map(({ controller }) => controller))];
}
