import { execFileSync } from 'node:child_process';
import { zstdCompressSync, constants } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { splitZstdFrames } from './zstd-frames.ts';

function frame(content: Buffer, checksum: boolean): Buffer {
  return zstdCompressSync(content, { params: { [constants.ZSTD_c_checksumFlag]: Number(checksum) } });
}

async function split(stream: Buffer, step: number): Promise<Buffer[]> {
  const chunks: Buffer[] = [];
  for await (const chunk of splitZstdFrames(pieces(stream, step))) chunks.push(chunk);
  return chunks;
}

async function* pieces(stream: Buffer, step: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < stream.length; at += step) {
    await Promise.resolve();
    yield stream.subarray(at, at + step);
  }
}

const random = Buffer.from(Array.from({ length: 300_000 }, (_, index) => Math.imul(index, 2654435761) >>> 24));
const skippable = Buffer.from([0x5a, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, 1, 2, 3, 4, 5]);
const frames = [
  frame(Buffer.alloc(0), false),
  frame(Buffer.from('small'), true),
  frame(Buffer.alloc(1_000_000), false),
  frame(random, true),
];

describe('no chunk reaches beyond the end of a frame', () => {
  const stream = Buffer.concat([skippable, ...frames.flatMap((each) => [each, skippable])]);
  const ends = frames.map((_, index) => frames.slice(0, index + 1).reduce((sum, { length }) => sum + length, 0));

  test.each([1, 2, 3, 5, 64, 1000, stream.length])('in pieces of %i', async (step) => {
    const chunks = await split(stream, step);
    expect(Buffer.concat(chunks).equals(Buffer.concat(frames))).toBe(true);
    let at = 0;
    const cuts = new Set(chunks.map(({ length }) => (at += length)));
    for (const end of ends) expect(cuts.has(end)).toBe(true);
  });
});

test('what is no zstd passes through', async () => {
  const rubbish = Buffer.from('what is this?');
  expect(Buffer.concat(await split(rubbish, 4))).toEqual(rubbish);
  const half = frames[3]!.subarray(0, 1000);
  expect(Buffer.concat(await split(half, 7))).toEqual(half);
});

test.skipIf(!hasZstd())('streams of the zstd program, which leaves sizes and windows to the frame', async () => {
  const stream = execFileSync('zstd', ['-c', '-q', '--no-check'], { input: random });
  expect(Buffer.concat(await split(Buffer.concat([stream, stream]), 100))).toEqual(Buffer.concat([stream, stream]));
});

function hasZstd(): boolean {
  try {
    execFileSync('zstd', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
