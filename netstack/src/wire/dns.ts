/** DNS messages (RFC 1035), as far as a forwarder with names of its own needs them. */

import { IpAddress } from './address.ts';

export const DNS = { size: 12, id: 0, flags: 2, questions: 4, answers: 6, authorities: 8, additionals: 10 } as const;

export const DNS_FLAG = {
  RESPONSE: 0x8000,
  AUTHORITATIVE: 0x0400,
  TRUNCATED: 0x0200,
  RECURSION_DESIRED: 0x0100,
  RECURSION_AVAILABLE: 0x0080,
} as const;
const OPCODE_MASK = 0x7800;

export const DNS_TYPE = { A: 1, PTR: 12, AAAA: 28, OPT: 41, ANY: 255 } as const;
export const DNS_CLASS_IN = 1;

export const RCODE = {
  NO_ERROR: 0,
  FORMAT_ERROR: 1,
  SERVER_FAILURE: 2,
  NAME_ERROR: 3,
  NOT_IMPLEMENTED: 4,
  REFUSED: 5,
} as const;

/** RFC 1035, 2.3.4. */
const MAX_NAME = 255;
const MAX_LABEL = 63;
/** What a client without EDNS takes over UDP. */
export const DNS_UDP_SIZE = 512;

export interface DnsQuestion {
  /** Lower case, labels joined by dots, without the final one. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** Where the question section ends. */
  readonly end: number;
}

export type DnsQuery =
  | {
      readonly kind: 'query';
      readonly id: number;
      readonly flags: number;
      readonly question: DnsQuestion;
      readonly udpSize: number;
    }
  /** Answer with this code. */
  | { readonly kind: 'refuse'; readonly id: number; readonly rcode: number }
  /** Do not answer at all: too short, or itself an answer. */
  | { readonly kind: 'ignore' };

export function parseQuery(message: Uint8Array): DnsQuery {
  if (message.length < DNS.size) return { kind: 'ignore' };
  const view = viewOf(message);
  const id = view.getUint16(DNS.id);
  const flags = view.getUint16(DNS.flags);
  if ((flags & DNS_FLAG.RESPONSE) !== 0) return { kind: 'ignore' };
  if ((flags & OPCODE_MASK) !== 0) return { kind: 'refuse', id, rcode: RCODE.NOT_IMPLEMENTED };
  const question = view.getUint16(DNS.questions) === 1 ? parseQuestion(message) : undefined;
  if (!question) return { kind: 'refuse', id, rcode: RCODE.FORMAT_ERROR };
  return { kind: 'query', id, flags, question, udpSize: ednsSize(message, question.end) };
}

/** The first question; undefined when it is malformed. A query has no names before that could be pointed at, so pointers are refused. */
export function parseQuestion(message: Uint8Array): DnsQuestion | undefined {
  const labels: string[] = [];
  let at = DNS.size;
  for (;;) {
    const length = message[at];
    if (length === undefined || length > MAX_LABEL) return undefined;
    at++;
    if (length === 0) break;
    if (at + length > message.length || at + length - DNS.size > MAX_NAME) return undefined;
    // Bytes beyond ASCII and dots inside a label have no text of their own: escape them as RFC 1035 (5.1) does.
    labels.push(Array.from(message.subarray(at, at + length), labelCharacter).join(''));
    at += length;
  }
  if (at + 4 > message.length) return undefined;
  const view = viewOf(message);
  return { name: labels.join('.').toLowerCase(), type: view.getUint16(at), class: view.getUint16(at + 2), end: at + 4 };
}

/** A resource record of a local answer. */
export interface DnsRecord {
  readonly type: number;
  readonly ttl: number;
  readonly data: Uint8Array;
}

/** An answer to `query`: its header and question with the records, each owned by the question's name. */
export function buildAnswer(
  query: Uint8Array,
  question: DnsQuestion,
  rcode: number,
  records: readonly DnsRecord[],
): Uint8Array {
  const size = question.end + records.reduce((sum, { data }) => sum + 12 + data.length, 0);
  const answer = new Uint8Array(size);
  answer.set(query.subarray(0, question.end));
  const view = viewOf(answer);
  const desired = view.getUint16(DNS.flags) & DNS_FLAG.RECURSION_DESIRED;
  view.setUint16(
    DNS.flags,
    DNS_FLAG.RESPONSE | DNS_FLAG.AUTHORITATIVE | desired | DNS_FLAG.RECURSION_AVAILABLE | rcode,
  );
  view.setUint16(DNS.answers, records.length);
  view.setUint16(DNS.authorities, 0);
  view.setUint16(DNS.additionals, 0);
  let at = question.end;
  for (const { type, ttl, data } of records) {
    view.setUint16(at, 0xc000 | DNS.size); // a pointer to the question's name
    view.setUint16(at + 2, type);
    view.setUint16(at + 4, DNS_CLASS_IN);
    view.setUint32(at + 6, ttl);
    view.setUint16(at + 10, data.length);
    answer.set(data, at + 12);
    at += 12 + data.length;
  }
  return answer;
}

/** A bare answer with an error. */
export function buildError(id: number, rcode: number): Uint8Array {
  const answer = new Uint8Array(DNS.size);
  const view = viewOf(answer);
  view.setUint16(DNS.id, id);
  view.setUint16(DNS.flags, DNS_FLAG.RESPONSE | DNS_FLAG.RECURSION_AVAILABLE | rcode);
  return answer;
}

/** The addresses in the answer section: each with its time to live in seconds. What is malformed ends the list. */
export function answeredAddresses(message: Uint8Array): { address: IpAddress; ttl: number }[] {
  const found: { address: IpAddress; ttl: number }[] = [];
  const question = message.length < DNS.size ? undefined : parseQuestion(message);
  if (!question) return found;
  const view = viewOf(message);
  let at = question.end;
  for (let count = view.getUint16(DNS.answers); count > 0; count--) {
    const start = skipName(message, at);
    if (start === undefined || start + RECORD.size > message.length) break;
    const end = start + RECORD.size + view.getUint16(start + RECORD.length);
    if (end > message.length) break;
    const data = message.slice(start + RECORD.size, end);
    const isAddress =
      (view.getUint16(start) === DNS_TYPE.A && data.length === 4) ||
      (view.getUint16(start) === DNS_TYPE.AAAA && data.length === 16);
    if (isAddress) found.push({ address: new IpAddress(data), ttl: view.getUint32(start + RECORD.ttl) });
    at = end;
  }
  return found;
}

/** What follows a resource record's name (RFC 1035, 3.2.1): type, class, ttl and length of the data. */
const RECORD = { size: 10, ttl: 4, length: 8 } as const;

/** Where a name, which may end in a pointer (RFC 1035, 4.1.4), ends. */
function skipName(message: Uint8Array, start: number): number | undefined {
  for (let at = start; ;) {
    const length = message[at];
    if (length === undefined) return undefined;
    if (length === 0) return at + 1;
    if ((length & 0xc0) === 0xc0) return at + 2;
    if (length > MAX_LABEL) return undefined;
    at += 1 + length;
  }
}

/** Cuts an answer that does not fit to its question, with TC set (RFC 2181, 9): the client comes again over TCP. */
export function truncate(answer: Uint8Array, size: number): Uint8Array {
  if (answer.length <= size) return answer;
  const question = parseQuestion(answer);
  const cut = answer.slice(0, question?.end ?? DNS.size);
  const view = viewOf(cut);
  view.setUint16(DNS.flags, view.getUint16(DNS.flags) | DNS_FLAG.TRUNCATED);
  for (const count of [DNS.answers, DNS.authorities, DNS.additionals]) view.setUint16(count, 0);
  if (!question) view.setUint16(DNS.questions, 0);
  return cut;
}

/** Whether `answer` answers `query`: an answer, to the same question (RFC 5452, 9.1). The ids are the caller's to compare. */
export function answers(query: Uint8Array, answer: Uint8Array): boolean {
  if (answer.length < DNS.size || (viewOf(answer).getUint16(DNS.flags) & DNS_FLAG.RESPONSE) === 0) return false;
  const asked = parseQuestion(query);
  const answered = parseQuestion(answer);
  // A server that failed to read the question may leave it out.
  if (!answered) return viewOf(answer).getUint16(DNS.questions) === 0;
  return asked?.name === answered.name && asked.type === answered.type && asked.class === answered.class;
}

/** A name in wire format; undefined when it has an empty or too long label. */
export function encodeName(name: string): Uint8Array | undefined {
  const bytes: number[] = [];
  for (const label of name.replace(/\.$/, '').split('.')) {
    if (label.length === 0 || label.length > MAX_LABEL) return undefined;
    bytes.push(label.length, ...Array.from(label, (character) => character.charCodeAt(0) & 0xff));
  }
  bytes.push(0);
  return bytes.length > MAX_NAME ? undefined : Uint8Array.from(bytes);
}

/** The UDP size of an OPT record right behind the question (RFC 6891, 6.2.3), at least 512. */
function ednsSize(message: Uint8Array, end: number): number {
  const view = viewOf(message);
  if (
    view.getUint16(DNS.answers) !== 0 ||
    view.getUint16(DNS.authorities) !== 0 ||
    view.getUint16(DNS.additionals) === 0
  )
    return DNS_UDP_SIZE;
  if (end + 11 > message.length || message[end] !== 0 || view.getUint16(end + 1) !== DNS_TYPE.OPT) return DNS_UDP_SIZE;
  return Math.max(DNS_UDP_SIZE, view.getUint16(end + 3));
}

function labelCharacter(byte: number): string {
  if (byte > 0x20 && byte < 0x7f && byte !== 0x2e && byte !== 0x5c) return String.fromCharCode(byte);
  return `\\${String(byte).padStart(3, '0')}`;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
