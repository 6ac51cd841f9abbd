/** Builds tar archives for tests, also such as no tool would write. */

export interface TarItem {
  readonly path?: string | Buffer;
  /** One character; default `0`. */
  readonly type?: string;
  readonly content?: string | Buffer;
  readonly linkPath?: string | Buffer;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly major?: number;
  readonly minor?: number;
  /** Records of a pax header before the entry. */
  readonly pax?: Readonly<Record<string, string | Buffer>>;
  /** What the header claims, where that is not the content's length. */
  readonly size?: number;
  /** Last touch, before the checksum. */
  readonly patch?: (header: Buffer) => void;
}

const BLOCK = 512;

/** A whole archive with its end. */
export function buildTar(items: readonly TarItem[]): Buffer {
  return Buffer.concat([...items.map(buildItem), Buffer.alloc(2 * BLOCK)]);
}

function buildItem(item: TarItem): Buffer {
  const before = item.pax
    ? buildEntry({ path: 'PaxHeaders/x', type: 'x', content: paxBody(item.pax) })
    : Buffer.alloc(0);
  return Buffer.concat([before, buildEntry(item)]);
}

function buildEntry(item: TarItem): Buffer {
  const content = Buffer.from(item.content ?? '');
  const header = Buffer.alloc(BLOCK);
  Buffer.from(item.path ?? '').copy(header, 0, 0, 100);
  writeOctal(header, 100, 8, item.mode ?? 0o644);
  writeOctal(header, 108, 8, item.uid ?? 0);
  writeOctal(header, 116, 8, item.gid ?? 0);
  writeOctal(header, 124, 12, item.size ?? content.length);
  writeOctal(header, 136, 12, item.mtime ?? 0);
  header.write(item.type ?? '0', 156, 'latin1');
  Buffer.from(item.linkPath ?? '').copy(header, 157, 0, 100);
  header.write('ustar\x0000', 257, 'latin1');
  writeOctal(header, 329, 8, item.major ?? 0);
  writeOctal(header, 337, 8, item.minor ?? 0);
  item.patch?.(header);
  sealHeader(header);
  return Buffer.concat([header, content, Buffer.alloc((BLOCK - (content.length % BLOCK)) % BLOCK)]);
}

function sealHeader(header: Buffer): void {
  header.fill(0x20, 148, 156);
  let sum = 0;
  for (const byte of header) sum += byte;
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

function writeOctal(header: Buffer, at: number, size: number, value: number): void {
  header.write(value.toString(8).padStart(size - 1, '0'), at, size - 1, 'latin1');
}

export function paxBody(records: Readonly<Record<string, string | Buffer>>): Buffer {
  return Buffer.concat(Object.entries(records).map(([key, value]) => paxRecord(key, Buffer.from(value))));
}

function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}
