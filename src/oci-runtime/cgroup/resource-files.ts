/** The runtime spec's `linux.resources` as files of cgroups, of either version, and what to write there. */
import type { BlockIO, DeviceRate, Resources } from '../../oci/runtime-spec.ts';

export interface ResourceFile {
  /** Of version 1 the hierarchy, of version 2 what must be enabled. */
  readonly controller: string;
  readonly name: string;
  readonly value: string;
  /** Go on where the kernel does not have the file. */
  readonly optional?: boolean;
}

/** Linux kernel, Documentation/admin-guide/cgroup-v1. In the order of writing. */
export function filesOfV1(resources: Resources): ResourceFile[] {
  const { memory = {}, cpu = {}, pids, blockIO = {}, hugepageLimits = [], network = {}, rdma = {} } = resources;
  return [
    ...file('memory', 'memory.limit_in_bytes', memory.limit),
    ...file('memory', 'memory.memsw.limit_in_bytes', memory.swap, { optional: memory.swap === -1 }),
    ...file('memory', 'memory.soft_limit_in_bytes', memory.reservation),
    ...file('memory', 'memory.kmem.limit_in_bytes', memory.kernel, { optional: true }),
    ...file('memory', 'memory.kmem.tcp.limit_in_bytes', memory.kernelTCP, { optional: true }),
    ...file('memory', 'memory.swappiness', memory.swappiness),
    ...file('memory', 'memory.oom_control', memory.disableOOMKiller === true ? 1 : undefined),
    ...file('cpu', 'cpu.shares', positive(cpu.shares)),
    ...file('cpu', 'cpu.cfs_period_us', positive(cpu.period)),
    ...file('cpu', 'cpu.cfs_burst_us', cpu.burst, { optional: true }),
    ...file('cpu', 'cpu.cfs_quota_us', nonzero(cpu.quota)),
    ...file('cpu', 'cpu.rt_period_us', positive(cpu.realtimePeriod)),
    ...file('cpu', 'cpu.rt_runtime_us', nonzero(cpu.realtimeRuntime)),
    ...file('cpu', 'cpu.idle', cpu.idle),
    ...file('cpuset', 'cpuset.cpus', nonempty(cpu.cpus)),
    ...file('cpuset', 'cpuset.mems', nonempty(cpu.mems)),
    ...file('pids', 'pids.max', pidsMax(pids?.limit)),
    ...blockFilesOfV1(blockIO),
    ...hugepageLimits.flatMap(({ pageSize, limit }) => file('hugetlb', `hugetlb.${pageSize}.limit_in_bytes`, limit)),
    ...file('net_cls', 'net_cls.classid', network.classID),
    ...(network.priorities ?? []).flatMap(({ name, priority }) =>
      file('net_prio', 'net_prio.ifpriomap', `${name} ${priority}`),
    ),
    ...rdmaFiles(rdma),
  ];
}

/** Linux kernel, Documentation/admin-guide/cgroup-v2.rst. */
export function filesOfV2(resources: Resources): ResourceFile[] {
  const { memory = {}, cpu = {}, pids, blockIO = {}, hugepageLimits = [], rdma = {}, unified = {} } = resources;
  return [
    ...file('memory', 'memory.max', maxed(memory.limit)),
    ...file('memory', 'memory.swap.max', swapAlone(memory), { optional: true }),
    ...file('memory', 'memory.low', maxed(memory.reservation)),
    ...file('cpu', 'cpu.weight', weightOfShares(cpu.shares)),
    ...file('cpu', 'cpu.max', cpuMax(cpu)),
    ...file('cpu', 'cpu.max.burst', cpu.burst, { optional: true }),
    ...file('cpu', 'cpu.idle', cpu.idle),
    ...file('cpuset', 'cpuset.cpus', nonempty(cpu.cpus)),
    ...file('cpuset', 'cpuset.mems', nonempty(cpu.mems)),
    ...file('pids', 'pids.max', pidsMax(pids?.limit)),
    ...blockFilesOfV2(blockIO),
    ...hugepageLimits.flatMap(({ pageSize, limit }) => file('hugetlb', `hugetlb.${pageSize}.max`, limit)),
    ...rdmaFiles(rdma),
    ...Object.entries(unified).flatMap(([name, value]) => file(name.split('.')[0] ?? '', name, value)),
  ];
}

function file(
  controller: string,
  name: string,
  value: number | string | undefined,
  { optional = false } = {},
): ResourceFile[] {
  return value === undefined ? [] : [{ controller, name, value: String(value), ...(optional ? { optional } : {}) }];
}

function positive(value: number | undefined): number | undefined {
  return value === undefined || value <= 0 ? undefined : value;
}

/** Engines in Go write zero for what is not set. */
function nonzero(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value;
}

function nonempty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

/** -1 is unlimited. */
function maxed(value: number | undefined): string | undefined {
  return value === undefined || value === 0 ? undefined : value < 0 ? 'max' : String(value);
}

function pidsMax(limit: number | undefined): string | undefined {
  return limit === undefined || limit === 0 ? undefined : limit < 0 ? 'max' : String(limit);
}

/** Version 2 counts swap alone, the spec memory and swap together. */
function swapAlone({ limit, swap }: NonNullable<Resources['memory']>): string | undefined {
  if (swap === undefined || swap === 0) return undefined;
  if (swap < 0) return 'max';
  return String(Math.max(swap - Math.max(limit ?? 0, 0), 0));
}

/** 2 … 262144 to 1 … 10000, as runc and crun convert. */
function weightOfShares(shares: number | undefined): number | undefined {
  if (shares === undefined || shares === 0) return undefined;
  const bounded = Math.min(Math.max(shares, 2), 262_144);
  return 1 + Math.floor(((bounded - 2) * 9999) / 262_142);
}

function cpuMax({ quota, period }: NonNullable<Resources['cpu']>): string | undefined {
  const wanted = positive(period);
  if (nonzero(quota) === undefined && wanted === undefined) return undefined;
  const allowed = quota !== undefined && quota > 0 ? String(quota) : 'max';
  return `${allowed} ${wanted ?? 100_000}`;
}

function rdmaFiles(rdma: NonNullable<Resources['rdma']>): ResourceFile[] {
  return Object.entries(rdma).flatMap(([device, { hcaHandles, hcaObjects }]) =>
    file('rdma', 'rdma.max', `${device} hca_handle=${hcaHandles ?? 'max'} hca_object=${hcaObjects ?? 'max'}`),
  );
}

const THROTTLES = [
  ['throttleReadBpsDevice', 'blkio.throttle.read_bps_device', 'rbps'],
  ['throttleWriteBpsDevice', 'blkio.throttle.write_bps_device', 'wbps'],
  ['throttleReadIOPSDevice', 'blkio.throttle.read_iops_device', 'riops'],
  ['throttleWriteIOPSDevice', 'blkio.throttle.write_iops_device', 'wiops'],
] as const;

function blockFilesOfV1(block: BlockIO): ResourceFile[] {
  return [
    ...file('blkio', 'blkio.weight', positive(block.weight)),
    ...file('blkio', 'blkio.leaf_weight', positive(block.leafWeight), { optional: true }),
    ...(block.weightDevice ?? []).flatMap(({ major, minor, weight, leafWeight }) => [
      ...file('blkio', 'blkio.weight_device', weight === undefined ? undefined : `${major}:${minor} ${weight}`),
      ...file(
        'blkio',
        'blkio.leaf_weight_device',
        leafWeight === undefined ? undefined : `${major}:${minor} ${leafWeight}`,
      ),
    ]),
    ...THROTTLES.flatMap(([key, name]) =>
      (block[key] ?? []).flatMap((rate) => file('blkio', name, `${device(rate)} ${rate.rate}`)),
    ),
  ];
}

/** blkio's weights are 10 … 1000, those of BFQ 1 … 1000, io.weight's 1 … 10000. */
function blockFilesOfV2(block: BlockIO): ResourceFile[] {
  const weight = positive(block.weight);
  const converted = weight === undefined ? undefined : 1 + Math.floor(((weight - 10) * 9999) / 990);
  return [
    ...file('io', 'io.bfq.weight', weight, { optional: true }),
    ...file('io', 'io.weight', converted, { optional: true }),
    ...THROTTLES.flatMap(([key, , limit]) =>
      (block[key] ?? []).flatMap((rate) => file('io', 'io.max', `${device(rate)} ${limit}=${rate.rate}`)),
    ),
  ];
}

function device({ major, minor }: DeviceRate): string {
  return `${major}:${minor}`;
}
