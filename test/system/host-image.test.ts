/**
 * The pseudo image `host`: the machine's own root file system, below a fresh writable layer.
 *
 * Runs as: user, nosub, root
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox();

let file: string;
beforeAll(() => {
  // The user's own file, in the user's own folder: what could be changed if anything could.
  mkdirSync(join(bed.box.home, 'work'));
  file = join(bed.box.home, 'work/file');
  writeFileSync(file, 'as it was\n');
});

test('run --rm host echo hello', async () => {
  expect(await bed.box.ok('run --rm host echo hello')).toBe('hello');
});

test("shows the host's files and runs its programs", async () => {
  expect(await bed.box.ok('run --rm host cat /etc/os-release')).toBe(readFileSync('/etc/os-release', 'utf8').trimEnd());
  expect(await bed.box.ok(['run', '--rm', 'host', 'cat', file])).toBe('as it was');
  expect(await bed.box.ok(['run', '--rm', 'host', 'sh', '-c', 'id -u; echo $$'])).toBe('0\n1');
});

test('cannot change a file of the host', async () => {
  const script = `echo changed >${file} && cat ${file} && rm -r ${join(bed.box.home, 'work')} && ! test -e ${file} && echo gone`;
  expect(await bed.box.ok(['run', '--rm', 'host', 'sh', '-c', script])).toBe('changed\ngone');
  expect(readFileSync(file, 'utf8')).toBe('as it was\n');
});

test('what it makes is not on the host', async () => {
  const path = `/tmp/made-inside-${process.pid}`;
  await bed.box.ok(['run', '--rm', 'host', 'sh', '-c', `echo x >${path} && cat ${path}`]);
  expect(existsSync(path)).toBe(false);
});

test('keeps its changes over stop and start', async () => {
  const script = 'echo run >>/root-notes; cat /root-notes';
  await bed.box.ok(['run', '--name', 'notes', 'host', 'sh', '-c', script]);
  await bed.box.ok('start notes');
  await bed.box.ok('wait notes');
  expect(await bed.box.ok('logs notes')).toBe('run\nrun\nrun');
  await bed.box.ok('rm notes');
});

test('-v gives a folder of the host for real', async () => {
  await bed.box.ok([
    'run',
    '--rm',
    '-v',
    `${join(bed.box.home, 'work')}:/shared`,
    'host',
    'sh',
    '-c',
    'echo new >/shared/new',
  ]);
  expect(readFileSync(join(bed.box.home, 'work/new'), 'utf8')).toBe('new\n');
});

test('needs no image in the store', async () => {
  expect(await bed.box.ok('images -q')).toBe('');
});
