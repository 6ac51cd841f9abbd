/** The example file systems, mounted as an ordinary user would: by fusermount3, outside of any namespace. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const main = join(import.meta.dirname, '../../examples/hello-fs/main.ts');
const hasFusermount = spawnSync('fusermount3', ['--version']).status === 0;

async function mounted(directory: string): Promise<void> {
  while (!readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${directory} `)) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test.skipIf(!hasFusermount)('is mounted, read, traced and unmounted (needs fusermount3)', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'fuse-overlay-'));
  const server = spawn(process.execPath, ['--conditions=source', main, '--debug', directory]);
  let trace = '';
  server.stderr.setEncoding('utf8').on('data', (text: string) => (trace += text));
  try {
    await mounted(directory);
    // By another process: the one that waits for a file system must not be the one that its loop shares a thread with.
    expect(execFileSync('cat', [join(directory, 'hello')], { encoding: 'utf8' })).toBe('Hello, world!\n');
    expect(readdirSync(directory)).toEqual(['hello']);
    expect(spawnSync('cat', [join(directory, 'absent')]).status).toBe(1);
    const ended = once(server, 'exit');
    server.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
    expect(readdirSync(directory)).toEqual([]);
    expect(trace).toContain('LOOKUP 1 "absent" -> ENOENT');
  } finally {
    server.kill('SIGKILL');
    spawnSync('umount', ['-l', directory]);
    rmSync(directory, { recursive: true, force: true });
  }
});

test('a mount that cannot be made is one clear line', () => {
  const { status, stderr } = spawnSync(process.execPath, ['--conditions=source', main, '/nonexistent/place'], {
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(stderr).toMatch(/Cannot mount a FUSE file system on \/nonexistent\/place/);
});

test.skipIf(!hasFusermount)('the file system of the README works (needs fusermount3)', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'fuse-overlay-'));
  const readme = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');
  const code = /```ts\n(.*?)```/s.exec(readme)![1]!.replace('/tmp/memory', directory);
  const argv = ['--conditions=source', '--input-type=module-typescript', '-e', code];
  const server = spawn(process.execPath, argv, { cwd: import.meta.dirname, stdio: 'ignore' });
  try {
    await mounted(directory);
    expect(execFileSync('sh', ['-c', 'ls && cat motd version'], { cwd: directory, encoding: 'utf8' })).toBe(
      'motd\nversion\nWelcome\n1\n',
    );
    const ended = once(server, 'exit');
    spawnSync('sh', ['-c', `umount ${directory} || fusermount3 -u ${directory}`], { stdio: 'ignore' });
    expect(await ended).toEqual([0, null]);
  } finally {
    server.kill('SIGKILL');
    spawnSync('umount', ['-l', directory]);
    rmSync(directory, { recursive: true, force: true });
  }
});
