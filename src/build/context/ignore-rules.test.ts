import { describe, expect, test } from 'vitest';
import { IgnoreRules, parseIgnoreFile } from './ignore-rules.ts';

function ignored(patterns: string, path: string): boolean {
  return new IgnoreRules(parseIgnoreFile(patterns.replaceAll(' ', '\n'))).ignores(path);
}

test.each([
  ['a', 'a', true],
  ['a', 'a/b/c', true],
  ['a', 'b/a', false],
  ['/a/', 'a', true],
  ['./a', 'a', true],
  ['a/../b', 'b', true],
  ['*.md', 'x.md', true],
  ['*.md', 'd/x.md', false],
  ['**/*.md', 'd/e/x.md', true],
  ['**/*.md', 'x.md', true],
  ['*/x', 'd/x', true],
  ['*/x', 'd/e/x', false],
  ['a/**', 'a/b/c', true],
  ['a/**', 'a', false],
  ['a/**/z', 'a/z', true],
  ['a/**/z', 'a/b/c/z', true],
  ['?.c', 'x.c', true],
  ['?.c', 'xy.c', false],
  ['[ab].c', 'b.c', true],
  ['[^ab].c', 'b.c', false],
  ['[a-c]x', 'bx', true],
  ['\\*', '*', true],
  ['\\*', 'a', false],
  ['.', 'a', false],
  ['* !a', 'a', false],
  ['* !a', 'b', true],
  ['* !a/b', 'a/b', false],
  ['* !a/b', 'a/c', true],
  ['*.md !README.md', 'README.md', false],
  ['*.md !README*.md README-secret.md', 'README-secret.md', true],
  ['#x', '#x', false],
  ['node_modules', 'node_modules/a/b.js', true],
  ['**/node_modules', 'pkg/node_modules/a', true],
  ['a.b', 'axb', false],
])('%j on %s: %s', (patterns, path, expected) => {
  expect(ignored(patterns, path)).toBe(expected);
});

describe('folders that are ignored are entered only for what may be put back', () => {
  test.each([
    ['a', 'a', false],
    ['a !a/b', 'a', true],
    ['a !a/b/c', 'a/b', true],
    ['a !a/b/c', 'a/x', false],
    ['* !**/x', 'a', true],
    ['* !b', 'a', false],
  ])('%j: %s %s', (patterns, folder, expected) => {
    expect(new IgnoreRules(parseIgnoreFile(patterns.replaceAll(' ', '\n'))).mayIncludeBelow(folder)).toBe(expected);
  });
});

test('a pattern that cannot be read is told', () => {
  expect(() => new IgnoreRules(['[a'])).toThrow('syntax error in pattern');
  expect(() => new IgnoreRules(['a\\'])).toThrow('syntax error in pattern');
});
