import { InvalidInput } from '../invalid-input.ts';
import { type DeviceNumber, parseByteRate, parseDeviceWeight, parseOperationRate } from './device-rate.ts';
import { parseSize } from './size.ts';

/** Resource limits of a container; what is absent is unlimited. */
export interface ResourceLimits {
  /** Bytes. */
  memory?: number;
  /** Bytes of memory and swap together; -1 is as much swap as there is. */
  memorySwap?: number;
  /** Bytes that are left to it while others can give memory back. */
  memoryReservation?: number;
  /** Processors' worth of time, as 1.5. */
  cpus?: number;
  /** Microseconds of each `cpuPeriod`; -1: no limit. */
  cpuQuota?: number;
  cpuPeriod?: number;
  /** Relative weight, 2 to 262144; Docker's default is 1024. */
  cpuShares?: number;
  /** Lists as `0-2,4`. */
  cpusetCpus?: string;
  cpusetMems?: string;
  /** Processes and threads; -1: no limit. */
  pids?: number;
  /** Relative weight, 10 to 1000. */
  blkioWeight?: number;
  blkioWeightDevice?: readonly DeviceNumber[];
  deviceReadBps?: readonly DeviceNumber[];
  deviceWriteBps?: readonly DeviceNumber[];
  deviceReadIops?: readonly DeviceNumber[];
  deviceWriteIops?: readonly DeviceNumber[];
}

/** The values of the options as the user wrote them, each under its flag's name. */
export interface LimitOptions {
  memory?: string | undefined;
  'memory-swap'?: string | undefined;
  'memory-reservation'?: string | undefined;
  cpus?: string | undefined;
  'cpu-quota'?: string | undefined;
  'cpu-period'?: string | undefined;
  'cpu-shares'?: string | undefined;
  'cpuset-cpus'?: string | undefined;
  'cpuset-mems'?: string | undefined;
  'pids-limit'?: string | undefined;
  'blkio-weight'?: string | undefined;
  'blkio-weight-device'?: readonly string[];
  'device-read-bps'?: readonly string[];
  'device-write-bps'?: readonly string[];
  'device-read-iops'?: readonly string[];
  'device-write-iops'?: readonly string[];
}

export type LimitFlag = keyof LimitOptions;

/** Docker's floor: less does not even start a process. */
const LEAST_MEMORY = 6 * 1024 * 1024;
const NANO = 1_000_000_000;

/** Reads one option each. A value that stands for no limit (0, as a rule) is undefined. */
const READERS: {
  readonly [Flag in LimitFlag]: (value: NonNullable<LimitOptions[Flag]>, processors: number) => ResourceLimits;
} = {
  memory: (text) => ({ memory: atLeast(parseSize(text), LEAST_MEMORY, 'Minimum memory limit allowed is 6MB') }),
  'memory-swap': (text) => ({ memorySwap: text === '-1' ? -1 : parseSize(text) }),
  'memory-reservation': (text) => ({
    memoryReservation: atLeast(parseSize(text), LEAST_MEMORY, 'Minimum memory reservation allowed is 6MB'),
  }),
  cpus: (text, processors) => ({ cpus: parseCpus(text, processors) }),
  'cpu-quota': (text) => ({
    cpuQuota: atLeast(integer(text, 'cpu quota'), 1000, 'CPU cfs quota can not be less than 1ms (i.e. 1000)'),
  }),
  'cpu-period': (text) => ({ cpuPeriod: parsePeriod(text) }),
  'cpu-shares': (text) => ({ cpuShares: Math.max(integer(text, 'cpu shares'), 0) }),
  'cpuset-cpus': (text, processors) => ({ cpusetCpus: parseCpuset(text, processors) }),
  'cpuset-mems': (text) => ({ cpusetMems: parseCpuset(text) }),
  'pids-limit': (text) => ({ pids: Math.max(integer(text, 'pids limit'), -1) || -1 }),
  'blkio-weight': (text) => ({ blkioWeight: parseWeight(text) }),
  'blkio-weight-device': (texts) => ({ blkioWeightDevice: texts.map(parseDeviceWeight) }),
  'device-read-bps': (texts) => ({ deviceReadBps: texts.map(parseByteRate) }),
  'device-write-bps': (texts) => ({ deviceWriteBps: texts.map(parseByteRate) }),
  'device-read-iops': (texts) => ({ deviceReadIops: texts.map(parseOperationRate) }),
  'device-write-iops': (texts) => ({ deviceWriteIops: texts.map(parseOperationRate) }),
};

/** Reads one option by itself, so that its error names it. @param processors of the host */
export function parseLimit<Flag extends LimitFlag>(
  flag: Flag,
  value: NonNullable<LimitOptions[Flag]>,
  processors: number,
): ResourceLimits {
  const limits = READERS[flag](value, processors);
  return Object.fromEntries(
    Object.entries(limits).filter(([, limit]) => limit !== 0 && limit !== '' && !isEmptyList(limit)),
  );
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** Reads the options, as Docker does, for a host of `processors`; 0 (and -1 where Docker has it) stands for no limit. */
export function parseLimits(options: LimitOptions, processors: number): ResourceLimits {
  const { pids = -1, cpuQuota = -1, ...limits } = parseLimitUpdate(options, processors);
  return checkLimits({ ...limits, ...(pids < 0 ? {} : { pids }), ...(cpuQuota < 0 ? {} : { cpuQuota }) });
}

/** The same for `update`, where -1 takes a limit away, and what goes together is checked with what is there. */
export function parseLimitUpdate(options: LimitOptions, processors: number): ResourceLimits {
  const parts = (Object.keys(READERS) as LimitFlag[]).map((flag) => {
    const value = options[flag];
    return value === undefined ? {} : parseLimit(flag, value, processors);
  });
  return Object.assign({}, ...parts) as ResourceLimits;
}

/** What `update` makes of the limits that a container has. Throws INVALID where they contradict each other then. */
export function mergeLimits(before: ResourceLimits, update: ResourceLimits): ResourceLimits {
  const { memory, memorySwap } = update;
  if (memory !== undefined && memorySwap === undefined && (before.memorySwap ?? 0) > 0 && memory > before.memorySwap!) {
    throw new InvalidInput(
      'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
    );
  }
  const kept = { ...before };
  if (update.cpus !== undefined) {
    delete kept.cpuQuota;
    delete kept.cpuPeriod;
  } else if (update.cpuQuota !== undefined || update.cpuPeriod !== undefined) {
    delete kept.cpus;
  }
  return checkLimits({ ...kept, ...update });
}

/** Docker's rules for limits together, in its words. */
function checkLimits(limits: ResourceLimits): ResourceLimits {
  const { memory = 0, memorySwap = 0, memoryReservation = 0, cpus, cpuQuota, cpuPeriod } = limits;
  if (memorySwap > 0 && memory === 0) {
    throw new InvalidInput('You should always set the Memory limit when using Memoryswap limit, see usage');
  }
  if (memorySwap > 0 && memorySwap < memory) {
    throw new InvalidInput('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (memory > 0 && memoryReservation > memory) {
    throw new InvalidInput('Minimum memory limit can not be less than memory reservation limit, see usage');
  }
  if (cpus !== undefined && cpuPeriod !== undefined) {
    throw new InvalidInput('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  }
  if (cpus !== undefined && cpuQuota !== undefined) {
    throw new InvalidInput('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  }
  return limits;
}

/** 0 passes for "none", and a negative number for "no limit". */
function atLeast(value: number, least: number, message: string): number {
  if (value > 0 && value < least) throw new InvalidInput(message);
  return Math.max(value, -1);
}

function integer(text: string, what: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw new InvalidInput(`invalid ${what}: '${text}'`);
  return Number(text);
}

function parsePeriod(text: string): number {
  const period = integer(text, 'cpu period');
  if (period !== 0 && (period < 1000 || period > 1_000_000)) {
    throw new InvalidInput('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  }
  return period;
}

function parseWeight(text: string): number {
  const weight = integer(text, 'blkio weight');
  if (weight !== 0 && (weight < 10 || weight > 1000)) {
    throw new InvalidInput('Range of blkio weight is from 10 to 1000');
  }
  return weight;
}

/** A number of processors: `1.5`, or a fraction as `3/2`, down to a billionth. */
function parseCpus(text: string, processors: number): number {
  const match = /^([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:\/(\d+))?$/.exec(text);
  const cpus = match === null ? NaN : Number(match[1]) / Number(match[2] ?? 1);
  if (!Number.isFinite(cpus)) throw new InvalidInput(`failed to parse ${text} as a rational number`);
  if (Math.abs(cpus * NANO - Math.round(cpus * NANO)) > 1e-3) throw new InvalidInput('value is too precise');
  if (cpus < 0 || cpus > processors || (cpus > 0 && cpus < 0.01)) {
    throw new InvalidInput(
      `range of CPUs is from 0.01 to ${processors.toFixed(2)}, as there are only ${processors} CPUs available`,
    );
  }
  return cpus;
}

/** cpuset(7), "List format". @param count of what can be named; absent: the kernel will tell */
function parseCpuset(text: string, count?: number): string {
  if (text === '') return '';
  for (const part of text.split(',')) {
    const [, first, last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part) ?? [];
    if (first === undefined || Number(last) < Number(first)) {
      throw new InvalidInput(`failed to parse '${text}': it has to be a list such as 0-2,4`);
    }
    if (count !== undefined && Number(last) >= count) {
      throw new InvalidInput(`Requested CPUs are not available - requested ${text}, available: 0-${count - 1}`);
    }
  }
  return text;
}
