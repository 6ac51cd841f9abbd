/** Requests as text, for `--debug`. */
import { opcodeName } from '../protocol/opcodes.ts';
import { errorCode } from '../sys/errors.ts';
import type { Exchange } from './exchange.ts';

export interface TraceRecord {
  readonly opcode: string;
  readonly nodeId: number;
  /** Names, link targets or attribute names that came with the request. */
  readonly names: readonly string[];
  readonly pid: number;
  /** Bytes of payload in the reply, or `-errno`. */
  readonly result: number;
  readonly microseconds: number;
}

/** Of the request at hand, after it was answered. */
export function describeRequest(x: Exchange, result: number, microseconds: number): TraceRecord {
  const name = opcodeName(x.opcode);
  const names = [x.name, x.secondName].filter(({ length }) => length > 0).map(String);
  return { opcode: name ?? String(x.opcode), nodeId: x.nodeId, names, pid: x.pid, result, microseconds };
}

/** One line: `LOOKUP 1 "etc" -> 128 bytes, 12 us`. */
export function formatTrace(record: TraceRecord): string {
  const names = record.names.map((name) => ` ${JSON.stringify(name)}`).join('');
  const result = record.result < 0 ? errorCode(record.result) : `${record.result} bytes`;
  return `${record.opcode} ${record.nodeId}${names} -> ${result}, ${record.microseconds.toFixed(0)} us`;
}
