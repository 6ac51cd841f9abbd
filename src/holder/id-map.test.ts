import { expect, test } from 'vitest';
import { keptExtents, mapArguments, mapText, nestedExtents } from '../base/id-extents.ts';
import { identityExtents, subordinateIds } from './id-map.ts';

const USER = { name: 'ann', id: 1001 };

test('lines of subuid belong to a name or a number', () => {
  const text = 'bob:1:1\nann:100000:65536\n1001:300000:10\nannx:5:5\n';
  expect(subordinateIds(text, USER)).toEqual([
    { start: 100000, count: 65536 },
    { start: 300000, count: 10 },
  ]);
});

test.each(['ann', 'ann:1', 'ann:1:0', 'ann:x:5', 'ann:-1:5', 'ann:1:2:3', '# ann:1:2', ''])(
  'the line %j gives nothing',
  (line) => {
    expect(subordinateIds(line, USER)).toEqual([]);
  },
);

test('the ids of a namespace as themselves', () => {
  expect(identityExtents('         0          0 4294967295\n')).toEqual([{ inside: 0, outside: 0, count: 4294967295 }]);
  expect(identityExtents('  0  1000  1\n  1 100000 65536\n')).toEqual([
    { inside: 0, outside: 0, count: 1 },
    { inside: 1, outside: 1, count: 65536 },
  ]);
});

test('extents as text, as arguments and for a namespace inside', () => {
  const extents = [
    { inside: 0, outside: 1001, count: 1 },
    { inside: 1, outside: 100000, count: 65536 },
  ];
  expect(mapText(extents)).toBe('0 1001 1\n1 100000 65536\n');
  expect(mapArguments(extents)).toEqual(['0', '1001', '1', '1', '100000', '65536']);
  expect(mapText(nestedExtents(extents))).toBe('0 0 1\n1 1 65536\n');
});

test('a namespace in which the user keeps its id has as many ids', () => {
  expect(mapText(keptExtents(65_537, 1000)!)).toBe('0 1 1000\n1000 0 1\n1001 1001 64536\n');
  expect(mapText(keptExtents(3, 2)!)).toBe('0 1 2\n2 0 1\n');
  expect(mapText(keptExtents(10, 0)!)).toBe('0 0 10\n');
  expect(keptExtents(1, 1000)).toBeUndefined();
});
