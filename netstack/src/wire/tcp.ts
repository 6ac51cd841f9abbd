/** The TCP header (RFC 9293, 3.1) and its options (RFC 9293, 7323, 2018). */

export const TCP = {
  /** Without options. */
  size: 20,
  sourcePort: 0,
  destinationPort: 2,
  sequence: 4,
  acknowledgment: 8,
  dataOffset: 12,
  flags: 13,
  window: 14,
  checksum: 16,
  urgentPointer: 18,
  options: 20,
} as const;

export const FLAG = { FIN: 0x01, SYN: 0x02, RST: 0x04, PSH: 0x08, ACK: 0x10, URG: 0x20, ECE: 0x40, CWR: 0x80 } as const;

export const OPTION = { END: 0, NOP: 1, MSS: 2, WINDOW_SCALE: 3, SACK_PERMITTED: 4, SACK: 5, TIMESTAMPS: 8 } as const;

/** Timestamps with two NOPs before, as RFC 7323 (appendix A) recommends: the only option of most segments. */
export const TIMESTAMPS_LENGTH = 12;
const TIMESTAMPS_ALIGNED = 0x0101080a;

/** RFC 9293, 3.7.1: what to assume of a peer that sent no MSS option. */
export const DEFAULT_MSS = 536;
export const DEFAULT_MSS6 = 1220;

/** RFC 7323, 2.3. */
export const MAX_WINDOW_SCALE = 14;

/** As many SACK blocks as fit beside timestamps. */
export const MAX_SACK_BLOCKS = 3;

/** A received segment, checked and decoded. One instance is reused for all: copy what has to last. */
export class Segment {
  bytes: Uint8Array = new Uint8Array(0);
  sourcePort = 0;
  destinationPort = 0;
  sequence = 0;
  acknowledgment = 0;
  flags = 0;
  /** As in the header, not scaled. */
  window = 0;
  payloadStart = 0;
  payloadLength = 0;
  /** Payload bytes of one segment on the wire, where the device joined several; else the payload's length. */
  wireSize = 0;
  /** 0: not given. */
  mss = 0;
  /** -1: not given. */
  windowScale = -1;
  sackPermitted = false;
  hasTimestamps = false;
  timestamp = 0;
  timestampEcho = 0;
  /** Number of SACK blocks in `sack`, each as left and right edge. */
  sackCount = 0;
  readonly sack = new Float64Array(8);

  /** Sequence numbers that the segment takes: SEG.LEN. */
  get length(): number {
    return this.payloadLength + (this.flags & FLAG.SYN ? 1 : 0) + (this.flags & FLAG.FIN ? 1 : 0);
  }

  /** Decodes the segment in [at, end), whose checksum was verified; false when it is malformed. */
  parse(bytes: Uint8Array, view: DataView, at: number, end: number): boolean {
    if (end - at < TCP.size) return false;
    const header = (view.getUint8(at + TCP.dataOffset) >> 4) * 4;
    if (header < TCP.size || at + header > end) return false;
    this.bytes = bytes;
    this.sourcePort = view.getUint16(at + TCP.sourcePort);
    this.destinationPort = view.getUint16(at + TCP.destinationPort);
    this.sequence = view.getUint32(at + TCP.sequence);
    this.acknowledgment = view.getUint32(at + TCP.acknowledgment);
    this.flags = view.getUint8(at + TCP.flags);
    this.window = view.getUint16(at + TCP.window);
    this.payloadStart = at + header;
    this.payloadLength = end - this.payloadStart;
    this.wireSize = this.payloadLength;
    this.mss = 0;
    this.windowScale = -1;
    this.sackPermitted = false;
    this.hasTimestamps = false;
    this.sackCount = 0;
    if (header > TCP.size) this.#parseOptions(view, at + TCP.options, at + header);
    return true;
  }

  #parseOptions(view: DataView, start: number, end: number): void {
    if (end - start === TIMESTAMPS_LENGTH && view.getUint32(start) === TIMESTAMPS_ALIGNED) {
      this.#readTimestamps(view, start + 4);
      return;
    }
    let at = start;
    while (at < end) {
      const kind = view.getUint8(at);
      if (kind === OPTION.END) return;
      if (kind === OPTION.NOP) {
        at++;
        continue;
      }
      const length = at + 1 < end ? view.getUint8(at + 1) : 0;
      // RFC 9293, 3.1: options that can't be walked past end the list; the segment itself stands.
      if (length < 2 || at + length > end) return;
      this.#parseOption(view, kind, at + 2, length - 2);
      at += length;
    }
  }

  #parseOption(view: DataView, kind: number, at: number, length: number): void {
    if (kind === OPTION.MSS && length === 2) this.mss = view.getUint16(at);
    else if (kind === OPTION.WINDOW_SCALE && length === 1)
      this.windowScale = Math.min(view.getUint8(at), MAX_WINDOW_SCALE);
    else if (kind === OPTION.SACK_PERMITTED && length === 0) this.sackPermitted = true;
    else if (kind === OPTION.TIMESTAMPS && length === 8) this.#readTimestamps(view, at);
    else if (kind === OPTION.SACK && length % 8 === 0 && length <= 32) {
      this.sackCount = length / 8;
      for (let edge = 0; edge < length / 4; edge++) this.sack[edge] = view.getUint32(at + 4 * edge);
    }
  }

  #readTimestamps(view: DataView, at: number): void {
    this.hasTimestamps = true;
    this.timestamp = view.getUint32(at);
    this.timestampEcho = view.getUint32(at + 4);
  }
}

/** Writes aligned timestamps; returns where they end. */
export function writeTimestamps(view: DataView, at: number, value: number, echo: number): number {
  view.setUint32(at, TIMESTAMPS_ALIGNED);
  view.setUint32(at + 4, value);
  view.setUint32(at + 8, echo);
  return at + TIMESTAMPS_LENGTH;
}

/** Writes NOP, NOP and SACK with `blocks` (left, right, …); returns where they end. */
export function writeSack(view: DataView, at: number, blocks: readonly number[]): number {
  view.setUint32(at, (OPTION.NOP << 24) | (OPTION.NOP << 16) | (OPTION.SACK << 8) | (2 + 4 * blocks.length));
  blocks.forEach((edge, index) => view.setUint32(at + 4 + 4 * index, edge));
  return at + 4 + 4 * blocks.length;
}

export interface SynOptions {
  readonly mss: number;
  /** undefined: not offered. */
  readonly windowScale: number | undefined;
  readonly sackPermitted: boolean;
  readonly timestamps: { readonly value: number; readonly echo: number } | undefined;
}

/** Writes the options of a SYN; returns where they end, on a 4-byte boundary. */
export function writeSynOptions(view: DataView, at: number, options: SynOptions): number {
  let next = at;
  view.setUint32(next, (OPTION.MSS << 24) | (4 << 16) | options.mss);
  next += 4;
  if (options.windowScale !== undefined) {
    view.setUint32(next, (OPTION.NOP << 24) | (OPTION.WINDOW_SCALE << 16) | (3 << 8) | options.windowScale);
    next += 4;
  }
  if (options.sackPermitted) {
    view.setUint32(next, (OPTION.NOP << 24) | (OPTION.NOP << 16) | (OPTION.SACK_PERMITTED << 8) | 2);
    next += 4;
  }
  if (options.timestamps) next = writeTimestamps(view, next, options.timestamps.value, options.timestamps.echo);
  return next;
}
