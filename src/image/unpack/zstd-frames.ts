/**
 * Cuts a zstd stream so that no chunk reaches beyond a frame's end, and drops skippable frames (RFC 8878, 3.1). Node's decoder
 * goes on to the next frame only where a write ends with the last one; with anything behind it in the same write it takes that
 * for rubbish and stops. zstd:chunked layers have a frame for each file.
 */

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
const MAGIC_SIZE = 4;
const BLOCK_HEADER_SIZE = 3;
const CHECKSUM_SIZE = 4;

interface Part {
  /** Bytes of the header and of what belongs to it. */
  readonly size: number;
  readonly isSkippable?: boolean;
  readonly hasChecksum?: boolean;
  readonly isLast?: boolean;
}

export async function* splitZstdFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  // Bytes of the current part that have not come yet, and what to do with them and after them.
  let left = 0;
  let isDropped = false;
  let isFrameEnd = false;
  let isInFrame = false;
  let checksum = 0;
  for await (const chunk of source) {
    const buffer = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    let from = 0;
    let at = 0;
    for (;;) {
      const taken = Math.min(left, buffer.length - at);
      at += taken;
      left -= taken;
      if (isDropped) from = at;
      if (left > 0) break;
      isDropped = false;
      if (isFrameEnd) {
        yield buffer.subarray(from, at);
        from = at;
        isFrameEnd = isInFrame = false;
      }
      const part: Part | undefined = isInFrame ? readBlock(buffer, at) : readFrame(buffer, at);
      if (!part) break;
      left = part.size;
      if (isInFrame) {
        isFrameEnd = part.isLast === true;
        if (isFrameEnd) left += checksum;
      } else {
        isDropped = part.isSkippable === true;
        isInFrame = !isDropped;
        checksum = part.hasChecksum === true ? CHECKSUM_SIZE : 0;
      }
    }
    if (at > from) yield buffer.subarray(from, at);
    rest = buffer.subarray(at);
  }
  if (rest.length > 0) yield rest;
}

/** 3.1.1.1: magic, descriptor, then fields whose sizes the descriptor tells. */
function readFrame(buffer: Buffer, at: number): Part | undefined {
  if (buffer.length - at < MAGIC_SIZE + 4) return undefined;
  const magic = buffer.readUInt32LE(at);
  if ((magic & 0xffff_fff0) >>> 0 === SKIPPABLE_MAGIC) {
    return { size: MAGIC_SIZE + 4 + buffer.readUInt32LE(at + MAGIC_SIZE), isSkippable: true };
  }
  // What is no frame is for the decoder to judge.
  if (magic !== FRAME_MAGIC) return { size: Infinity };
  const descriptor = buffer[at + MAGIC_SIZE]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const contentSize = sizeFlag === 0 ? Number(isSingleSegment) : 1 << sizeFlag;
  const dictionary = [0, 1, 2, 4][descriptor & 3]!;
  const size = MAGIC_SIZE + 1 + Number(!isSingleSegment) + dictionary + contentSize;
  return { size, hasChecksum: (descriptor & 4) !== 0 };
}

/** 3.1.1.2: last flag, two bits of type, 21 bits of size; a run-length block (1) holds one byte whatever its size. */
function readBlock(buffer: Buffer, at: number): Part | undefined {
  if (buffer.length - at < BLOCK_HEADER_SIZE) return undefined;
  const header = buffer.readUIntLE(at, BLOCK_HEADER_SIZE);
  const isRun = ((header >> 1) & 3) === 1;
  return { size: BLOCK_HEADER_SIZE + (isRun ? 1 : header >> 3), isLast: (header & 1) !== 0 };
}
