import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openState, type StatePaths } from '../state/paths.ts';
import { findContainer, listContainers } from './container.ts';
import { generateName } from './names.ts';

let root: string;
let paths: StatePaths;
const [first, second] = [`abc1${'0'.repeat(60)}`, `abc2${'0'.repeat(60)}`];

function make(id: string, name: string, created: string): void {
  mkdirSync(join(paths.containers, id));
  writeFileSync(join(paths.containers, id, 'config.json'), JSON.stringify({ id, name, created, request: {} }));
  writeFileSync(join(paths.containers, id, 'state.json'), JSON.stringify({ status: 'created' }));
}

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'trun-containers-'));
  paths = openState(root, {});
  make(first, 'one', '2026-01-01T00:00:00Z');
  make(second, 'abc', '2026-01-02T00:00:00Z');
});

afterEach(() => {
  rmSync(root, { recursive: true });
});

test.each([
  ['one', first],
  ['/one', first],
  [first, first],
  ['abc1', first],
  ['abc', second], // a name comes before ids that begin so
])('%s is found', (text, id) => {
  expect(findContainer(paths, text).config.id).toBe(id);
});

test('what begins several ids, or none, is refused', () => {
  expect(() => findContainer(paths, 'ab')).toThrow('multiple IDs found with provided prefix: ab');
  for (const text of ['', 'on', 'ABC1', '../one', first.slice(0, 62) + 'ff']) {
    expect(() => findContainer(paths, text)).toThrow(`No such container: ${text}`);
  }
});

test('one is found without the states of others', () => {
  // Reading a folder fails.
  rmSync(join(paths.containers, second, 'state.json'));
  mkdirSync(join(paths.containers, second, 'state.json'));
  expect(() => listContainers(paths)).toThrow('EISDIR');
  for (const text of ['one', first, 'abc1']) expect(findContainer(paths, text).config.id).toBe(first);
});

test('a full id takes the one record', () => {
  rmSync(join(paths.containers, second, 'config.json'));
  mkdirSync(join(paths.containers, second, 'config.json'));
  expect(() => listContainers(paths)).toThrow('EISDIR');
  expect(findContainer(paths, first).config.id).toBe(first);
});

test('the newest come first; what is half made or half removed is none', () => {
  mkdirSync(join(paths.containers, 'f'.repeat(64)));
  mkdirSync(join(paths.containers, 'new-x'));
  mkdirSync(join(paths.containers, `removed-${first}`));
  expect(listContainers(paths).map(({ config }) => config.name)).toEqual(['abc', 'one']);
});

test('a name is made up until one is free', () => {
  const taken: string[] = [];
  const name = generateName((candidate) => taken.push(candidate) < 7);
  expect(name).toMatch(/^[a-z]+_[a-z]+\d+$/);
  expect(taken.at(-1)).toBe(name);
});
