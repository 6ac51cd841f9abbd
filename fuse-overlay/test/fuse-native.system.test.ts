/**
 * The second transport: a union through libfuse 2 (needs the package fuse-native, by NODE_PATH for example, and Debian's libfuse2).
 * The basic part of what is asked of the first one.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { basicConformance, fillForConformance } from './support/basic-conformance.ts';

const isRoot = process.getuid?.() === 0;
const identity = isRoot ? { uid: 65534, gid: 65534 } : {};
const server = join(import.meta.dirname, 'support/serve-native.ts');
const canLoad =
  spawnSync(process.execPath, ['-e', 'require("fuse-native")'], { cwd: import.meta.dirname }).status === 0;

test.skipIf(!canLoad)('a union is mounted, changed and unmounted (needs fuse-native)', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'fuse-native-'));
  const folders = ['', 'm', 'lower', 'upper', 'bare'].map((name) => join(directory, name));
  for (const folder of folders) {
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o755);
    if (isRoot) chownSync(folder, 65534, 65534);
  }
  for (const name of ['lower', 'bare'])
    execFileSync('sh', ['-c', fillForConformance], { ...identity, cwd: join(directory, name) });
  const argv = ['-Urm', process.execPath, '--no-warnings', server, ...folders.slice(1, 4)];
  const child = spawn('unshare', argv, { ...identity, stdio: ['pipe', 'pipe', 'inherit'], cwd: '/' });
  try {
    await once(child.stdout, 'data');
    const enter = ['--preserve-credentials', '-U', '-m', '-t', String(child.pid)];
    const become = isRoot ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : ['env'];
    const inside = [...become.slice(1), 'nsenter', ...enter, 'sh', '-e', '-c'];
    const found = execFileSync(become[0]!, [...inside, `cd ${folders[1]}; ${basicConformance}`], { encoding: 'utf8' });
    const expected = execFileSync('sh', ['-e', '-c', basicConformance], {
      ...identity,
      cwd: folders[4],
      encoding: 'utf8',
    });
    expect(found).toBe(expected);
    const ended = once(child, 'exit');
    child.stdin.end();
    expect(await ended).toEqual([0, null]);
  } finally {
    child.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  }
});

test.skipIf(canLoad)('without the package or its library there is one clear error', () => {
  const { status, stderr } = spawnSync(process.execPath, [server, '/mnt', tmpdir(), join(tmpdir(), 'never-made')], {
    encoding: 'utf8',
  });
  expect(status).toBe(1);
  expect(stderr).toMatch(/Cannot use fuse-native: (the package is not installed|.*libfuse)/);
});
