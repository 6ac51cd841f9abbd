/** Limits of one container; what is absent is unlimited. */
export interface CgroupLimits {
  /** Bytes. */
  memory?: number;
  /** Bytes of memory and swap together, as Docker counts; -1 is as much swap as there is. */
  memorySwap?: number;
  /** Processors' worth of time. */
  cpus?: number;
  /** Processes and threads. */
  pids?: number;
}

export type Controller = 'cpu' | 'memory' | 'pids';

/** A file of a cgroup and what to write there. */
export interface LimitFile {
  controller: Controller;
  name: string;
  value: string;
  /** Go on where the kernel does not have the file. */
  optional?: boolean;
}

/** Microseconds over which CPU time is shared out; the kernel's and Docker's default. */
const CPU_PERIOD = 100_000;
/** The kernel takes no quota below a millisecond (kernel/sched/core.c: min_cfs_quota_period). */
const LEAST_QUOTA = 1_000;

/** What to write for `limits`: cgroup-v2.rst, "Controllers". */
export function limitFiles({ memory, memorySwap, cpus, pids }: CgroupLimits): LimitFile[] {
  const files: LimitFile[] = [];
  if (memory !== undefined) {
    files.push({ controller: 'memory', name: 'memory.max', value: String(memory) });
    // Version 2 counts swap alone. Docker's default is as much of it as memory.
    const swap = memorySwap === undefined ? memory : memorySwap - memory;
    const value = memorySwap === -1 ? 'max' : String(Math.max(swap, 0));
    // Kernels without swap, or booted with swapaccount=0, do not have it.
    files.push({ controller: 'memory', name: 'memory.swap.max', value, optional: true });
  }
  if (cpus !== undefined) {
    const quota = Math.max(Math.round(cpus * CPU_PERIOD), LEAST_QUOTA);
    files.push({ controller: 'cpu', name: 'cpu.max', value: `${quota} ${CPU_PERIOD}` });
  }
  if (pids !== undefined) files.push({ controller: 'pids', name: 'pids.max', value: String(pids) });
  return files;
}

/** The controllers that `limits` take. */
export function controllersFor(limits: CgroupLimits): Controller[] {
  return [...new Set(limitFiles(limits).map(({ controller }) => controller))];
}
