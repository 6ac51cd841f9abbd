import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { cloneRepository, isRepository, parseRepository } from './git-repository.ts';

test.each([
  ['https://example.com/x.git', true],
  ['https://example.com/x.git#main:sub', true],
  ['https://example.com/x.tar', false],
  ['git://example.com/x', true],
  ['ssh://git@example.com/x', true],
  ['git@example.com:x/y', true],
  ['github.com/a/b', true],
  ['https://github.com/a/b#v1', true],
  ['./x.git', false],
  ['-', false],
])('%s: %s', (text, expected) => {
  expect(isRepository(text)).toBe(expected);
});

test.each([
  ['https://e.com/x.git', 'https://e.com/x.git', undefined, ''],
  ['https://e.com/x.git#v1', 'https://e.com/x.git', 'v1', ''],
  ['https://e.com/x.git#v1:a/b', 'https://e.com/x.git', 'v1', 'a/b'],
  ['https://e.com/x.git#:a', 'https://e.com/x.git', undefined, 'a'],
  ['https://e.com/x.git?ref=v2&subdir=s', 'https://e.com/x.git', 'v2', 's'],
  ['github.com/a/b', 'https://github.com/a/b', undefined, ''],
  ['git@e.com:a.git', 'git@e.com:a.git', undefined, ''],
])('%s', (text, url, ref, subfolder) => {
  expect(parseRepository(text)).toEqual({ url, ref, subfolder });
});

test('what git would take for an option is refused', () => {
  expect(() => parseRepository('https://e.com/x.git#--upload-pack=x')).toThrow('invalid repository');
});

const hasGit = (() => {
  try {
    execFileSync('git', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();

describe.runIf(hasGit)('a clone', () => {
  function makeRepository(): { url: string; target: string } {
    const folder = mkdtempSync(join(tmpdir(), 'repository-'));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const work = join(folder, 'work');
    mkdirSync(join(work, 'app'), { recursive: true });
    writeFileSync(join(work, 'app/file'), 'first');
    symlinkSync('/', join(work, 'out'));
    function git(...words: string[]): void {
      execFileSync('git', ['-C', work, '-c', 'user.name=x', '-c', 'user.email=x@y', ...words], { stdio: 'ignore' });
    }
    git('init', '-q', '-b', 'main');
    git('add', '.');
    git('commit', '-q', '-m', 'first');
    git('tag', 'v1');
    writeFileSync(join(work, 'app/file'), 'second');
    git('commit', '-q', '-a', '-m', 'second');
    return { url: `file://${work}`, target: join(folder, 'clone') };
  }

  const surroundings = { signal: new AbortController().signal, env: { PATH: process.env['PATH'] } };

  test('has the branch, or what is asked for, and the folder that is meant', async () => {
    const { url, target } = makeRepository();
    const { path, commit } = await cloneRepository(`${url}#:app`, target, surroundings);
    expect(readFileSync(join(path, 'file'), 'utf8')).toBe('second');
    expect(commit).toMatch(/^[0-9a-f]{40}$/);
    const tagged = await cloneRepository(`${url}#v1:app`, `${target}-v1`, surroundings);
    expect(readFileSync(join(tagged.path, 'file'), 'utf8')).toBe('first');
  });

  test('does not lead out of itself', async () => {
    const { url, target } = makeRepository();
    await expect(cloneRepository(`${url}#:out`, target, surroundings)).rejects.toThrow(
      'lies outside of the repository',
    );
    await expect(cloneRepository(`${url}#nowhere`, `${target}-2`, surroundings)).rejects.toThrow('Cannot clone');
  });
});
