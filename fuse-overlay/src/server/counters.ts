/** Counts of a session's requests by opcode, with a histogram of the time from reading the request to having replied. */
import { opcodeLimit, opcodeName } from '../protocol/opcodes.ts';

/** Bucket n holds times from 2^(n-1) to 2^n microseconds, bucket 0 those below one; the last one all beyond (over 1 s). */
export const histogramBuckets = 22;

export interface RequestStatistics {
  readonly requests: number;
  /** Replies that were an error, ENOENT and ENOSYS included. */
  readonly errors: number;
  /** Sum of the times in microseconds. */
  readonly microseconds: number;
  readonly histogram: readonly number[];
}

export class Counters {
  /** Messages that were no well-formed request. */
  malformed = 0;
  /** Requests during which the file system threw what is no system error. */
  crashes = 0;
  readonly #requests = new Float64Array(opcodeLimit);
  readonly #errors = new Float64Array(opcodeLimit);
  readonly #microseconds = new Float64Array(opcodeLimit);
  readonly #histogram = new Uint32Array(opcodeLimit * histogramBuckets);

  count(opcode: number, failed: boolean, microseconds: number): void {
    if (opcode >= opcodeLimit) return;
    this.#requests[opcode]!++;
    if (failed) this.#errors[opcode]!++;
    this.#microseconds[opcode]! += microseconds;
    const bucket = Math.min(32 - Math.clz32(microseconds), histogramBuckets - 1);
    this.#histogram[opcode * histogramBuckets + bucket]!++;
  }

  /** Requests of all kinds. */
  get total(): number {
    return this.#requests.reduce((sum, count) => sum + count, 0);
  }

  /** By name, for the opcodes that came. */
  snapshot(): Record<string, RequestStatistics> {
    const result: Record<string, RequestStatistics> = {};
    for (let opcode = 0; opcode < opcodeLimit; opcode++) {
      const requests = this.#requests[opcode]!;
      const name = opcodeName(opcode);
      if (requests === 0 || name === undefined) continue;
      const from = opcode * histogramBuckets;
      result[name] = {
        requests,
        errors: this.#errors[opcode]!,
        microseconds: Math.round(this.#microseconds[opcode]!),
        histogram: [...this.#histogram.subarray(from, from + histogramBuckets)],
      };
    }
    return result;
  }
}
