import { marshal } from './marshal.ts';
import type { Value, Variant } from './signature.ts';
import { Reader } from './unmarshal.ts';

/** D-Bus specification, "Message Format". */
export const MESSAGE_TYPE = { METHOD_CALL: 1, METHOD_RETURN: 2, ERROR: 3, SIGNAL: 4 } as const;

/** Header fields: their codes, types, and the names they have in `Message`. */
const FIELDS = [
  { code: 1, type: 'o', name: 'path' },
  { code: 2, type: 's', name: 'interface' },
  { code: 3, type: 's', name: 'member' },
  { code: 4, type: 's', name: 'errorName' },
  { code: 5, type: 'u', name: 'replySerial' },
  { code: 6, type: 's', name: 'destination' },
  { code: 7, type: 's', name: 'sender' },
  { code: 8, type: 'g', name: 'signature' },
] as const;

export interface Message {
  type: number;
  serial: number;
  path?: string;
  interface?: string;
  member?: string;
  errorName?: string;
  replySerial?: number;
  destination?: string;
  sender?: string;
  signature?: string;
  body: readonly Value[];
}

const LITTLE_ENDIAN = 0x6c; // 'l'
const BIG_ENDIAN = 0x42; // 'B'
/** Whoever does not run yet shall not be started for us. */
const NO_AUTO_START = 2;
const PROTOCOL_VERSION = 1;
const HEADER = 'yyyyuua(yv)';
const FIXED_HEADER_SIZE = 16;
/** The specification's limit. */
const LONGEST_MESSAGE = 2 ** 27;

export function encodeMessage(message: Message): Buffer {
  const body = marshal(message.signature ?? '', message.body);
  const fields: Value[] = [];
  for (const { code, type, name } of FIELDS) {
    const value = message[name];
    if (value !== undefined) fields.push([code, { signature: type, value }]);
  }
  const header = marshal(HEADER, [
    LITTLE_ENDIAN,
    message.type,
    NO_AUTO_START,
    PROTOCOL_VERSION,
    body.length,
    message.serial,
    fields,
  ]);
  return Buffer.concat([header, Buffer.alloc((8 - (header.length % 8)) % 8), body]);
}

/** The first message in `bytes` and its length, or undefined while it is not complete; throws on what is none. */
export function decodeMessage(bytes: Buffer): { message: Message; length: number } | undefined {
  if (bytes.length < FIXED_HEADER_SIZE) return undefined;
  const little = bytes[0] === LITTLE_ENDIAN;
  if (!little && bytes[0] !== BIG_ENDIAN) throw new Error('not a D-Bus message');
  const [bodyLength, fieldsLength] = [4, 12].map((at) =>
    little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at),
  ) as [number, number];
  const bodyStart = FIXED_HEADER_SIZE + Math.ceil(fieldsLength / 8) * 8;
  const length = bodyStart + bodyLength;
  if (length > LONGEST_MESSAGE) throw new Error(`D-Bus message of ${length} bytes`);
  if (bytes.length < length) return undefined;

  const [, type, , , , serial, fields] = new Reader(bytes.subarray(0, bodyStart), little).read(HEADER);
  const message: Message = { type: type as number, serial: serial as number, body: [] };
  for (const [code, variant] of fields as [number, Variant][]) {
    const field = FIELDS.find((known) => known.code === code);
    // The reader has checked the type that the variant names; a field of another type than its own is not taken.
    if (field?.type === variant.signature) Object.assign(message, { [field.name]: variant.value });
  }
  message.body = new Reader(bytes.subarray(bodyStart, length), little).read(message.signature ?? '');
  return { message, length };
}
