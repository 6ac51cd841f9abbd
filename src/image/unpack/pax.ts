/**
 * Pax extended headers (POSIX.1-2001 pax(1), "pax Extended Header"): records `LENGTH KEY=VALUE\n`, the length counting the whole
 * record. Values are kept as bytes, for SCHILY.xattr values are binary (node-tar decodes them as text and splits at newlines,
 * which loses file capabilities).
 */
import { TarError, type DataRun } from './tar-header.ts';

export type PaxRecords = ReadonlyMap<string, Buffer>;

export function parsePax(body: Buffer): PaxRecords {
  const records = new Map<string, Buffer>();
  const sparse: string[] = [];
  for (let at = 0; at < body.length;) {
    // The rest of the payload may be zero-filled.
    if (body[at] === 0) break;
    const space = body.indexOf(0x20, at);
    const digits = space < 0 ? '' : body.toString('latin1', at, space);
    const end = at + Number(digits);
    if (!/^[0-9]{1,10}$/.test(digits) || end > body.length || end <= space + 2 || body[end - 1] !== 0x0a) {
      throw malformed();
    }
    const equals = body.indexOf(0x3d, space + 1);
    if (equals <= space + 1 || equals >= end) throw malformed();
    const key = body.toString('utf8', space + 1, equals);
    const value = Buffer.from(body.subarray(equals + 1, end - 1));
    // GNU sparse 0.0 repeats these two keys, once for each run of data.
    if (key === 'GNU.sparse.offset' || key === 'GNU.sparse.numbytes') sparse.push(value.toString('latin1'));
    else records.set(key, value);
    at = end;
  }
  if (sparse.length > 0) records.set('GNU.sparse.map', Buffer.from(sparse.join(',')));
  return records;
}

/** A decimal record, or undefined where it is absent or empty (which by POSIX means: take the header's). */
export function paxInteger(records: PaxRecords, key: string): number | undefined {
  const value = records.get(key)?.toString('latin1');
  if (value === undefined || value === '') return undefined;
  if (!/^-?[0-9]{1,16}$/.test(value) || !Number.isSafeInteger(Number(value))) throw malformed(key);
  return Number(value);
}

/** A time in decimal seconds, such as `1700000000.123456789`. */
export function paxTime(records: PaxRecords, key: string): { seconds: number; nanoseconds: number } | undefined {
  const value = records.get(key)?.toString('latin1');
  if (value === undefined || value === '') return undefined;
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(value);
  if (!match) throw malformed(key);
  const [, sign, whole, fraction = ''] = match;
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, '0'));
  if (sign !== '-') return { seconds: Number(whole), nanoseconds };
  // -1.25 s is second -2 and 750,000,000 ns.
  return nanoseconds === 0
    ? { seconds: -Number(whole) || 0, nanoseconds: 0 }
    : { seconds: -Number(whole) - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}

/** A path record; empty and absent are the same. */
export function paxPath(records: PaxRecords, key: string): Buffer | undefined {
  const value = records.get(key);
  return value && value.length > 0 ? value : undefined;
}

const xattrPrefix = 'SCHILY.xattr.';

export function paxXattrs(records: PaxRecords): { name: Buffer; value: Buffer }[] {
  const xattrs: { name: Buffer; value: Buffer }[] = [];
  for (const [key, value] of records) {
    if (key.startsWith(xattrPrefix)) xattrs.push({ name: Buffer.from(key.slice(xattrPrefix.length)), value });
  }
  return xattrs;
}

/** What the GNU.sparse records say: the map is in them (0.0, 0.1) or at the head of the payload (1.0). */
export interface PaxSparse {
  readonly realSize: number;
  readonly path?: Buffer;
  readonly runs?: DataRun[];
}

export function paxSparse(records: PaxRecords): PaxSparse | undefined {
  const path = paxPath(records, 'GNU.sparse.name');
  const named = path ? { path } : {};
  if (paxInteger(records, 'GNU.sparse.major') === 1 && paxInteger(records, 'GNU.sparse.minor') === 0) {
    return { realSize: size(paxInteger(records, 'GNU.sparse.realsize')), ...named };
  }
  const map = records.get('GNU.sparse.map');
  if (!map) return undefined;
  const numbers = map.length === 0 ? [] : map.toString('latin1').split(',').map(sparseNumber);
  if (numbers.length % 2 !== 0) throw malformed('GNU.sparse.map');
  const runs: DataRun[] = [];
  for (let at = 0; at < numbers.length; at += 2) runs.push({ offset: numbers[at]!, size: numbers[at + 1]! });
  return { realSize: size(paxInteger(records, 'GNU.sparse.size')), runs, ...named };
}

export function sparseNumber(text: string): number {
  if (!/^[0-9]{1,16}$/.test(text) || !Number.isSafeInteger(Number(text))) throw malformed('sparse map');
  return Number(text);
}

function size(value: number | undefined): number {
  if (value === undefined || value < 0) throw malformed('GNU.sparse size');
  return value;
}

function malformed(key?: string): TarError {
  return new TarError(key === undefined ? 'a pax header is malformed' : `a pax header has a malformed ${key}`);
}
