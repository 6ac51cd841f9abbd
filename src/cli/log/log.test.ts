import { describe, expect, test } from 'vitest';
import type { Chunk, StreamName } from '../../engine/log-segments.ts';
import { LastLines, type LineChoice, LogLines } from './log-lines.ts';
import { parseTimeBound } from './time-bound.ts';

const noon = Date.parse('2026-11-20T12:00:00Z');

function chunk(text: string, time = 0, stream: StreamName = 'stdout'): Chunk {
  return { stream, time: noon + time, data: Buffer.from(text) };
}

function show(chunks: readonly Chunk[], choice: Partial<LineChoice> = {}): string {
  const lines = new LogLines({ timestamps: false, ...choice });
  return chunks.flatMap((each) => [...lines.pieces(each)].map(({ data }) => data.toString())).join('');
}

function tail(chunks: readonly Chunk[], count: number): string {
  const lines = new LogLines({ timestamps: false });
  const last = new LastLines(count);
  for (const each of chunks) for (const piece of lines.pieces(each)) last.add(piece);
  return last.pieces.map(({ data }) => data.toString()).join('');
}

describe('lines', () => {
  test('pass as they are, bytes and all', () => {
    expect(show([chunk('a\n\nb'), chunk('c\nend')])).toBe('a\n\nbc\nend');
    const odd = Buffer.from([0xff, 0x0a, 0x00]);
    const [first, second] = [...new LogLines({ timestamps: false }).pieces({ ...chunk(''), data: odd })];
    expect(Buffer.concat([first!.data, second!.data])).toEqual(odd);
  });

  test('have their time at their beginning, once', () => {
    expect(show([chunk('a\nb'), chunk('c\n', 5)], { timestamps: true })).toBe(
      '2026-11-20T12:00:00.000000000Z a\n2026-11-20T12:00:00.000000000Z bc\n',
    );
  });

  test('of two streams keep apart', () => {
    const chunks = [chunk('out', 0), chunk('err\n', 1, 'stderr'), chunk('put\n', 2)];
    expect(show(chunks, { timestamps: true })).toBe(
      '2026-11-20T12:00:00.000000000Z out2026-11-20T12:00:00.001000000Z err\nput\n',
    );
  });

  test('are chosen by when they began', () => {
    const chunks = [chunk('one\ntw', 0), chunk('o\nthree\n', 10), chunk('four\n', 20)];
    expect(show(chunks, { since: noon + 10 })).toBe('three\nfour\n');
    expect(show(chunks, { until: noon + 10 })).toBe('one\ntwo\nthree\n');
    expect(show(chunks, { since: noon + 5, until: noon + 15 })).toBe('three\n');
  });
});

describe('the last lines', () => {
  const chunks = [chunk('1\n2\n3'), chunk('+\n4'), chunk('e\n', 0, 'stderr'), chunk('+')];

  test.each([
    [0, ''],
    [1, 'e\n'],
    [2, '4+e\n'],
    [3, '3+\n4+e\n'],
    [100, '1\n2\n3+\n4+e\n'],
  ])('%d', (count, text) => {
    expect(tail(chunks, count)).toBe(text);
  });

  test('of many', () => {
    const many = Array.from({ length: 5000 }, (_, i) => chunk(`${i}\n`));
    expect(tail(many, 3)).toBe('4997\n4998\n4999\n');
    expect(tail(many, 2000).split('\n')).toHaveLength(2001);
  });
});

describe('bounds in time', () => {
  test.each([
    ['2026-11-20T11:59:00Z', -60_000],
    ['2026-11-20T12:59:00+01:00', -60_000],
    ['2026-11-20T12:00:00.5Z', 500],
    ['2026-11-20T12:00:00.123456789Z', 123],
    ['42m', -42 * 60_000],
    ['1h30m10s', -5_410_000],
    ['1.5s', -1500],
    ['100ms', -100],
    ['-1m', 60_000],
    [String(noon / 1000), 0],
    [`${noon / 1000}.25`, 250],
  ])('%s', (text, difference) => {
    expect(parseTimeBound(text, new Date(noon)) - noon).toBe(difference);
  });

  test('without a zone it is ours', () => {
    expect(parseTimeBound('2026-11-20', new Date(noon))).toBe(Date.parse('2026-11-20T00:00:00'));
    expect(parseTimeBound('2026-11-20T13:23', new Date(noon))).toBe(Date.parse('2026-11-20T13:23:00'));
  });

  test.each(['x', '', '5 minutes', '2026-13-40', '1d', '10m5'])('%j is none', (text) => {
    expect(() => parseTimeBound(text, new Date(noon))).toThrow('is neither a time');
  });
});
