import { alignmentOf, completeTypes, memberTypes, type Value, type Variant } from './signature.ts';

/** `values`, one for each complete type of `signature`, in the little-endian wire format; starts 8-byte aligned. */
export function marshal(signature: string, values: readonly Value[]): Buffer {
  const bytes: number[] = [];
  for (const [i, type] of completeTypes(signature).entries()) append(bytes, type, values[i]!);
  return Buffer.from(bytes);
}

function append(bytes: number[], type: string, value: Value): void {
  pad(bytes, alignmentOf(type));
  switch (type[0]) {
    case 'y':
      bytes.push(value as number);
      break;
    case 'b':
      integer(bytes, BigInt(value as boolean), 4);
      break;
    case 'n':
    case 'q':
      integer(bytes, BigInt(value as number), 2);
      break;
    case 'i':
    case 'u':
      integer(bytes, BigInt(value as number), 4);
      break;
    case 'x':
    case 't':
      integer(bytes, value as bigint, 8);
      break;
    case 'd':
      bytes.push(...new Uint8Array(new Float64Array([value as number]).buffer));
      break;
    case 's':
    case 'o':
      text(bytes, value as string, 4);
      break;
    case 'g':
      text(bytes, value as string, 1);
      break;
    case 'v': {
      const variant = value as Variant;
      text(bytes, variant.signature, 1);
      append(bytes, variant.signature, variant.value);
      break;
    }
    case 'a':
      array(bytes, type.slice(1), value as readonly Value[]);
      break;
    default:
      for (const [i, member] of memberTypes(type).entries()) append(bytes, member, (value as readonly Value[])[i]!);
  }
}

/** The length leaves out the padding before the first element. */
function array(bytes: number[], type: string, values: readonly Value[]): void {
  const lengthAt = bytes.length;
  integer(bytes, 0n, 4);
  pad(bytes, alignmentOf(type));
  const start = bytes.length;
  for (const value of values) append(bytes, type, value);
  for (let i = 0; i < 4; i++) bytes[lengthAt + i] = ((bytes.length - start) >>> (8 * i)) & 0xff;
}

function text(bytes: number[], value: string, lengthBytes: number): void {
  const encoded = Buffer.from(value);
  integer(bytes, BigInt(encoded.length), lengthBytes);
  bytes.push(...encoded, 0);
}

function integer(bytes: number[], value: bigint, size: number): void {
  for (let i = 0; i < size; i++) bytes.push(Number((value >> BigInt(8 * i)) & 0xffn));
}

function pad(bytes: number[], alignment: number): void {
  while (bytes.length % alignment !== 0) bytes.push(0);
}
