import { expect, test } from 'vitest';
import type { StoredImage } from '../../image/queries/stored-images.ts';
import { parseFilters } from '../filters.ts';
import { formatRows } from '../output/row-format.ts';
import { imageFilters, matchesName } from './image-filters.ts';
import { imageNames, imageRow, imageTable } from './image-row.ts';

const digest = `sha256:${'ab'.repeat(32)}`;
const now = new Date('2026-11-20T12:00:00Z');

function image(repoTags: string[], repoDigests: string[], rest: object = {}): StoredImage {
  const created = '2026-11-18T12:00:00Z';
  return {
    id: `sha256:${'cd'.repeat(32)}`,
    repoTags,
    repoDigests,
    size: 77_812_345,
    created,
    config: { config: { Labels: { a: 'b' } } },
    ...rest,
  } as unknown as StoredImage;
}

test('the table of images', () => {
  const debian = image(['debian:12', 'localhost:5000/debian:latest'], [`debian@${digest}`]);
  const rows = imageNames(debian).map((name) => imageRow(debian, name, now, true));
  expect(formatRows(rows, imageTable(false))).toEqual([
    'REPOSITORY              TAG       IMAGE ID       CREATED      SIZE',
    'debian                  12        cdcdcdcdcdcd   2 days ago   77.8MB',
    'localhost:5000/debian   latest    cdcdcdcdcdcd   2 days ago   77.8MB',
  ]);
  expect(formatRows(rows, imageTable(true), '{{.Repository}} {{.Digest}}')).toEqual([
    `debian ${digest}`,
    'localhost:5000/debian <none>',
  ]);
});

test('images of no tag and of no name', () => {
  expect(imageNames(image([], [`debian@${digest}`]))).toEqual([{ repository: 'debian', tag: '<none>', digest }]);
  expect(imageNames(image([], []))).toEqual([{ repository: '<none>', tag: '<none>', digest: '<none>' }]);
});

test.each([
  ['debian', true],
  ['debian:12', true],
  ['debian:1*', true],
  ['deb*', true],
  ['debian:13', false],
  ['deb', false],
])('debian:12 is %s: %s', (pattern, expected) => {
  expect(matchesName({ repository: 'debian', tag: '12', digest: '' }, pattern)).toBe(expected);
});

test("a registry's port is no tag", () => {
  const name = { repository: 'localhost:5000/app', tag: 'v1', digest: '' };
  expect(matchesName(name, 'localhost:5000/app')).toBe(true);
  expect(matchesName(name, 'localhost:5000/app:v1')).toBe(true);
  expect(matchesName(name, 'localhost:5000/app:v2')).toBe(false);
});

test('filters', () => {
  const old = image(['old:1'], [], { id: 'sha256:11', created: '2020-01-01T00:00:00Z' });
  const young = image([], [], { config: { config: {} } });
  const listed = [old, young].flatMap((each) => imageNames(each).map((name) => ({ image: each, name })));
  function shown(...filters: string[]): string[] {
    return listed.filter(parseFilters(filters, imageFilters([old, young]))).map(({ name }) => name.repository);
  }
  expect(shown('dangling=true')).toEqual(['<none>']);
  expect(shown('dangling=false')).toEqual(['old']);
  expect(shown('label=a')).toEqual(['old']);
  expect(shown('reference=o*')).toEqual(['old']);
  expect(shown('since=old:1')).toEqual(['<none>']);
  expect(shown('before=old:1')).toEqual([]);
  expect(() => shown('since=nobody')).toThrow('No such image: nobody');
  expect(() => shown('dangling=perhaps')).toThrow("invalid filter 'dangling=perhaps'");
});
