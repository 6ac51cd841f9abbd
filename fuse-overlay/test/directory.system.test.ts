/** A live directory as programs see it. */
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync, appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Sandbox } from './support/sandbox.ts';

const sandbox = new Sandbox();
const source = join(sandbox.directory, 'source');

beforeAll(async () => {
  mkdirSync(join(source, 'a/b/c'), { recursive: true });
  writeFileSync(join(source, 'a/b/c/file'), 'contents\n');
  writeFileSync(join(source, 'large'), Buffer.alloc(5_000_001, 'abc'));
  linkSync(join(source, 'a/b/c/file'), join(source, 'hard'));
  symlinkSync('/etc/hostname', join(source, 'out'));
  execFileSync('mkfifo', ['-m', '666', join(source, 'fifo')]);
  mkdirSync(join(source, 'many'));
  for (let index = 0; index < 2500; index++) writeFileSync(join(source, 'many', `name${index}`), '');
  await sandbox.start('--directory', source, '--owner');
});

afterAll(async () => {
  await sandbox.end();
});

/** The timeout of serve.ts and some more. */
function expire(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 400));
}

test('looks as the directory does, inode numbers included', () => {
  const listing = String.raw`find . -printf '%p %y %m %n %i %T@ %s %l\n' | sort`;
  const expected = execFileSync('sh', ['-c', listing], { cwd: source, encoding: 'utf8', maxBuffer: 1 << 26 });
  expect(sandbox.run(`cd "$M" && ${listing}`)).toBe(expected);
  const tar = 'tar --sort=name --owner=0 --group=0 -cf - . | sha256sum';
  expect(sandbox.run(`cd "$M" && ${tar}`)).toBe(execFileSync('sh', ['-c', tar], { cwd: source, encoding: 'utf8' }));
});

test('a link out of it is the reader’s own to follow, not the server’s', () => {
  expect(sandbox.run('readlink "$M/out"').trim()).toBe('/etc/hostname');
});

test('a fifo connects its readers and writers in the mount and blocks no server', () => {
  expect(sandbox.run('(echo through > "$M/fifo" &) ; timeout 10 cat "$M/fifo"')).toBe('through\n');
  expect(sandbox.run('cat "$M/hard"')).toBe('contents\n');
});

test('what changes on the host shows', async () => {
  writeFileSync(join(source, 'grows'), 'one\n');
  await expire();
  expect(sandbox.run('cat "$M/grows"')).toBe('one\n');
  appendFileSync(join(source, 'grows'), 'two\n');
  renameSync(join(source, 'a/b'), join(source, 'a/moved'));
  await expire();
  expect(sandbox.run('cat "$M/grows" "$M/a/moved/c/file"')).toBe('one\ntwo\ncontents\n');
  expect(() => sandbox.run('cat "$M/a/b/c/file"')).toThrow('No such file');
  renameSync(join(source, 'a/moved'), join(source, 'a/b'));
});

test('an open file outlives its name', async () => {
  writeFileSync(join(source, 'doomed'), 'still here\n');
  await expire();
  const reader = sandbox.spawn('exec 5< "$M/doomed"; echo open; read line; cat <&5');
  let output = '';
  reader.stdout!.setEncoding('utf8').on('data', (text: string) => (output += text));
  while (!output.includes('open')) await new Promise((resolve) => setTimeout(resolve, 10));
  rmSync(join(source, 'doomed'));
  reader.stdin!.end('go\n');
  await new Promise((resolve) => reader.once('close', resolve));
  expect(output).toBe('open\nstill here\n');
});

test('is read-only', () => {
  expect(() => sandbox.run('touch "$M/new"')).toThrow('Read-only file system');
});

test('a successor finds everything by name again', async () => {
  const servers = await sandbox.servers(1);
  process.kill(servers[0]!, 'SIGKILL');
  await sandbox.servers(2);
  await expire();
  expect(sandbox.run('cat "$M/hard"; ls "$M/many" | wc -l; cat "$M/a/b/c/file"')).toBe('contents\n2500\ncontents\n');
});
