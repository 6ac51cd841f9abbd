import { describe, expect, test } from 'vitest';
import { formatAge, formatDuration, formatTime } from './duration.ts';
import { formatLabels } from './labels.ts';
import { ellipsis, quote } from './quote.ts';
import { formatObjects, formatRows } from './row-format.ts';
import { formatBinarySize, formatSize } from './size.ts';
import { alignColumns } from './table.ts';

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

test.each([
  [0, 'Less than a second'],
  [999, 'Less than a second'],
  [1 * second, '1 second'],
  [59.9 * second, '59 seconds'],
  [1 * minute, 'About a minute'],
  [119 * second, 'About a minute'],
  [2 * minute, '2 minutes'],
  [59 * minute, '59 minutes'],
  [60 * minute, 'About an hour'],
  [89 * minute, 'About an hour'],
  [90 * minute, '2 hours'],
  [47 * hour, '47 hours'],
  [48 * hour, '2 days'],
  [13 * day, '13 days'],
  [14 * day, '2 weeks'],
  [59 * day, '8 weeks'],
  [60 * day, '2 months'],
  [729 * day, '24 months'],
  [730 * day, '2 years'],
])('%d ms are %s', (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});

test('ages and times', () => {
  expect(formatAge('2026-11-20T11:57:00Z', new Date('2026-11-20T12:00:00Z'))).toBe('3 minutes ago');
  expect(formatTime('2026-11-20T11:57:03Z')).toMatch(/^2026-11-2\d \d\d:\d\d:03 [+-]\d{4} \S+$/);
});

test.each([
  [0, '0B'],
  [999, '999B'],
  [1000, '1kB'],
  [1_234_567, '1.23MB'],
  [77_812_345, '77.8MB'],
  [999_950, '1MB'],
  [124_000_000_000, '124GB'],
])('%d bytes are %s', (bytes, text) => {
  expect(formatSize(bytes)).toBe(text);
});

test('binary sizes', () => {
  expect(formatBinarySize(16_782_000_128)).toBe('15.63GiB');
});

test('tables are as wide as they have to be, at least ten and three apart', () => {
  expect(alignColumns(['ID\tNAME\tEND', 'a-long-identifier\tü\tz'])).toEqual([
    'ID                  NAME      END',
    'a-long-identifier   ü         z',
  ]);
});

test('quotes and ellipses', () => {
  expect(quote('say "hi"\n\x1b')).toBe('"say \\"hi\\"\\n\\x1b"');
  expect(ellipsis('sh -c echo hello world', 20)).toBe('sh -c echo hello wo…');
  expect(ellipsis('twenty characters ok', 20)).toBe('twenty characters ok');
  expect(formatLabels({ b: '2', a: '1' })).toBe('a=1,b=2');
});

describe('rows', () => {
  const layout = { template: '{{.ID}}\t{{.Name}}', headers: { ID: 'CONTAINER ID', Name: 'NAMES' } };
  const rows = [{ ID: 'abc', Name: 'one', Label: (key: unknown) => `<${String(key)}>` }];

  test.each([
    [undefined, ['CONTAINER ID   NAMES', 'abc            one']],
    ['table', ['CONTAINER ID   NAMES', 'abc            one']],
    ['table {{.Name}}\\t{{.ID}}', ['NAMES     CONTAINER ID', 'one       abc']],
    ['table {{.ID}}\\t{{.Label "x"}}', ['CONTAINER ID   x', 'abc            <x>']],
    ['{{.Name}}\\t{{.ID}}', ['one\tabc']],
    ['json', ['{"ID":"abc","Name":"one"}']],
    ['{{json .}}', ['{"ID":"abc","Name":"one"}']],
  ])('%s', (format, lines) => {
    expect(formatRows(rows, layout, format)).toEqual(lines);
  });

  test('no rows leave the header', () => {
    expect(formatRows([], layout)).toEqual(['CONTAINER ID   NAMES']);
    expect(formatRows([], layout, '{{.ID}}')).toEqual([]);
  });
});

test('objects', () => {
  expect(formatObjects([{ A: 1 }], undefined)).toEqual(['[\n    {\n        "A": 1\n    }\n]']);
  expect(formatObjects([], undefined)).toEqual(['[]']);
  expect(formatObjects([{ A: 1 }], 'json')).toEqual(['[{"A":1}]']);
  expect(formatObjects([{ A: 1 }, { A: 2 }], '{{.A}}')).toEqual(['1', '2']);
});
