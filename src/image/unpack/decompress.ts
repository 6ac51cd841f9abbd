import { pipeline, Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { TarError } from './tar-header.ts';
import { splitZstdFrames } from './zstd-frames.ts';

/** Large outputs: fewer hand-overs between zlib's thread and ours; the next one is inflated while this one is unpacked. */
const CHUNK = 256 * 1024;

const foreignFormats: readonly { name: string; magic: readonly number[] }[] = [
  { name: 'bzip2', magic: [0x42, 0x5a, 0x68] },
  { name: 'xz', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] },
];

/**
 * The plain archive of a layer blob, whatever its media type claims: told by its first bytes, as Docker does. `source` yields at
 * least four bytes in its first chunk, unless the blob is shorter.
 */
export async function* decompress(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const chunks = source[Symbol.asyncIterator]();
  const first = await chunks.next();
  if (first.done) return;
  const format = formatOrClose(first.value, chunks);
  const all = prepend(first.value, chunks);
  if (format === 'plain') {
    yield* all;
    return;
  }
  const options = { chunkSize: CHUNK };
  const decoder = format === 'gzip' ? createGunzip(options) : createZstdDecompress(options);
  const input = format === 'gzip' ? all : splitZstdFrames(all);
  // The error of either side ends the iteration below.
  const output = pipeline(Readable.from(input, { objectMode: false }), decoder, ignore);
  try {
    for await (const chunk of output) yield chunk as Buffer;
  } catch (error) {
    throw isDecoderError(error) ? new TarError('its compressed data is corrupt', { cause: error }) : error;
  }
}

function formatOrClose(head: Buffer, chunks: AsyncIterator<Buffer>): ReturnType<typeof formatOf> {
  try {
    return formatOf(head);
  } catch (error) {
    close(chunks);
    throw error;
  }
}

function formatOf(head: Buffer): 'plain' | 'gzip' | 'zstd' {
  if (starts(head, [0x1f, 0x8b])) return 'gzip';
  // A zstd frame, or a skippable one (RFC 8878 3.1.2).
  const isSkippable = starts(head.subarray(1), [0x2a, 0x4d, 0x18]) && (head[0]! & 0xf0) === 0x50;
  if (starts(head, [0x28, 0xb5, 0x2f, 0xfd]) || isSkippable) return 'zstd';
  for (const { name, magic } of foreignFormats) {
    if (starts(head, magic)) throw new TarError(`it is compressed with ${name}, which no image may use`);
  }
  return 'plain';
}

function starts(bytes: Buffer, magic: readonly number[]): boolean {
  return magic.every((byte, index) => bytes[index] === byte);
}

async function* prepend(first: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield first;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    close(rest);
  }
}

/** Not waited for: a source that waits for bytes itself can only end after them. */
function close(source: AsyncIterator<Buffer>): void {
  source.return?.().catch(ignore);
}

/** zlib's codes: Z_DATA_ERROR, Z_BUF_ERROR (cut short), ZSTD_error_prefix_unknown… */
function isDecoderError(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && /^(Z_|ZSTD_)/.test(code);
}

function ignore(): void {
  // The error arrives through the iteration as well.
}
