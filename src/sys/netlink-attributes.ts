/**
 * The binary form of netlink messages, driven by tables: fixed structs and type-length-value attributes
 * (linux/netlink.h, netlink(7)). All integers are in host byte order; both of our platforms are little-endian.
 */

/** Width in bytes of the integer kinds. */
const widths = { u8: 1, u16: 2, u32: 4 } as const;

type Integer = keyof typeof widths;

/** A struct: its size and, for each field, offset and kind. */
export interface StructLayout {
  readonly size: number;
  readonly fields: Readonly<Record<string, readonly [offset: number, kind: Integer]>>;
}

/** Values for a struct; fields left out are zero. */
export type StructValues<L extends StructLayout> = { readonly [K in keyof L['fields']]?: number };

/** How an attribute's payload is read and written: an integer, a NUL-terminated string, raw bytes, or more attributes. */
export type AttributeKind = Integer | 'string' | 'bytes' | AttributeTable;

/** Attributes that may stand side by side, by our name for them: the kernel's number and the payload's kind. */
export interface AttributeTable {
  readonly [name: string]: readonly [type: number, kind: AttributeKind];
}

type AttributeValue<K> = K extends Integer
  ? number
  : K extends 'string'
    ? string
    : K extends 'bytes'
      ? Uint8Array
      : K extends AttributeTable
        ? AttributeValues<K>
        : never;

/** Values for a table of attributes; they are written in the order of the object's keys. */
export type AttributeValues<T extends AttributeTable> = { readonly [K in keyof T]?: AttributeValue<T[K][1]> };

type AnyValue = number | string | Uint8Array | AnyValues;
interface AnyValues {
  readonly [name: string]: AnyValue | undefined;
}

/** struct nlattr: length (of header and payload) and type, two u16. */
const attributeHeader = 4;

/** Flags in the upper bits of an attribute's type (NLA_F_NESTED, NLA_F_NET_BYTEORDER). */
const typeMask = 0x3fff;

/** NLA_ALIGN, NLMSG_ALIGN: everything starts at a multiple of four. */
export function align(length: number): number {
  return (length + 3) & ~3;
}

/** Writes a struct. */
export function encodeStruct<L extends StructLayout>(layout: L, values: StructValues<L>): Buffer {
  const out = Buffer.alloc(layout.size);
  for (const [name, value] of Object.entries(values as Record<string, number | undefined>)) {
    const field = layout.fields[name];
    if (field !== undefined && value !== undefined) out.writeUIntLE(value, field[0], widths[field[1]]);
  }
  return out;
}

/** Reads a struct at the start of `bytes`, which must be at least as long. */
export function decodeStruct<L extends StructLayout>(layout: L, bytes: Buffer): Record<keyof L['fields'], number> {
  const values: Record<string, number> = {};
  for (const [name, [offset, kind]] of Object.entries(layout.fields)) {
    values[name] = bytes.readUIntLE(offset, widths[kind]);
  }
  return values as Record<keyof L['fields'], number>;
}

/** Writes attributes one after another, each padded to four bytes. */
export function encodeAttributes<T extends AttributeTable>(table: T, values: AttributeValues<T>): Buffer {
  const parts: Buffer[] = [];
  for (const [name, value] of Object.entries(values as AnyValues)) {
    const attribute = table[name];
    if (attribute === undefined || value === undefined) continue;
    const [type, kind] = attribute;
    const payload = encodePayload(kind, value);
    const out = Buffer.alloc(align(attributeHeader + payload.length));
    out.writeUInt16LE(attributeHeader + payload.length, 0);
    out.writeUInt16LE(type, 2);
    payload.copy(out, attributeHeader);
    parts.push(out);
  }
  return Buffer.concat(parts);
}

function encodePayload(kind: AttributeKind, value: AnyValue): Buffer {
  if (typeof kind === 'object') return encodeAttributes(kind, value as AttributeValues<AttributeTable>);
  if (kind === 'string') return Buffer.from(`${value as string}\0`);
  if (kind === 'bytes') return Buffer.from(value as Uint8Array);
  const out = Buffer.alloc(widths[kind]);
  out.writeUIntLE(value as number, 0, widths[kind]);
  return out;
}

/** Reads those attributes that the table names. What is cut short or of an unexpected width is left out. */
export function decodeAttributes<T extends AttributeTable>(table: T, bytes: Buffer): AttributeValues<T> {
  const byType = new Map(Object.entries(table).map(([name, [type, kind]]) => [type, { name, kind }]));
  const values: Record<string, AnyValue> = {};
  for (let at = 0; at + attributeHeader <= bytes.length;) {
    const length = bytes.readUInt16LE(at);
    if (length < attributeHeader || at + length > bytes.length) break;
    const known = byType.get(bytes.readUInt16LE(at + 2) & typeMask);
    if (known !== undefined) {
      const value = decodePayload(known.kind, bytes.subarray(at + attributeHeader, at + length));
      if (value !== undefined) values[known.name] = value;
    }
    at += align(length);
  }
  return values as AttributeValues<T>;
}

function decodePayload(kind: AttributeKind, payload: Buffer): AnyValue | undefined {
  if (typeof kind === 'object') return decodeAttributes(kind, payload);
  if (kind === 'bytes') return payload;
  if (kind === 'string') return payload.toString('utf8').replace(/\0.*$/s, '');
  return payload.length >= widths[kind] ? payload.readUIntLE(0, widths[kind]) : undefined;
}
