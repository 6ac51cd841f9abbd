import { InvalidInput } from '../invalid-input.ts';
import { parseSize } from './size.ts';

/** Resource limits of a container; what is absent is unlimited. */
export interface ResourceLimits {
  /** Bytes. */
  memory?: number;
  /** Bytes of memory and swap together; -1 is as much swap as there is. */
  memorySwap?: number;
  /** Processors' worth of time, as 1.5. */
  cpus?: number;
  /** Processes and threads. */
  pids?: number;
}

/** The values of `--memory`, `--memory-swap`, `--cpus` and `--pids-limit` as the user wrote them. */
export interface LimitOptions {
  memory?: string;
  memorySwap?: string;
  cpus?: string;
  pidsLimit?: string;
}

/** Docker's floor: less does not even start a process. */
const LEAST_MEMORY = 6 * 1024 * 1024;
const NANO = 1_000_000_000;

/** Reads the options, as Docker does, for a host of `processors`; 0 (and -1 for processes) stands for no limit. */
export function parseLimits(options: LimitOptions, processors: number): ResourceLimits {
  const memory = options.memory === undefined ? 0 : parseSize(options.memory);
  if (memory > 0 && memory < LEAST_MEMORY) throw new InvalidInput('Minimum memory limit allowed is 6MB');
  const swap = options.memorySwap === undefined ? 0 : parseSwap(options.memorySwap);
  if (swap > 0 && memory === 0) {
    throw new InvalidInput('You should always set the Memory limit when using Memoryswap limit, see usage');
  }
  if (swap > 0 && swap < memory) {
    throw new InvalidInput('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  const cpus = options.cpus === undefined ? 0 : parseCpus(options.cpus);
  if (cpus < 0 || cpus > processors || (cpus > 0 && cpus < 0.01)) {
    throw new InvalidInput(
      `range of CPUs is from 0.01 to ${processors.toFixed(2)}, as there are only ${processors} CPUs available`,
    );
  }
  const pids = options.pidsLimit === undefined ? 0 : parsePidsLimit(options.pidsLimit);
  return {
    ...(memory > 0 ? { memory } : {}),
    ...(swap === 0 ? {} : { memorySwap: swap }),
    ...(cpus > 0 ? { cpus } : {}),
    ...(pids > 0 ? { pids } : {}),
  };
}

/** A number of processors: `1.5`, or a fraction as `3/2`, down to a billionth. */
function parseCpus(text: string): number {
  const match = /^([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:\/(\d+))?$/.exec(text);
  const cpus = match === null ? NaN : Number(match[1]) / Number(match[2] ?? 1);
  if (!Number.isFinite(cpus)) throw new InvalidInput(`failed to parse ${text} as a rational number`);
  if (Math.abs(cpus * NANO - Math.round(cpus * NANO)) > 1e-3) throw new InvalidInput('value is too precise');
  return cpus;
}

function parseSwap(text: string): number {
  return text === '-1' ? -1 : parseSize(text);
}

function parsePidsLimit(text: string): number {
  if (!/^-?\d{1,9}$/.test(text)) throw new InvalidInput(`invalid pids limit: '${text}'`);
  return Number(text);
}
