/** The example `passthrough`: a folder through FUSE does what it does without. */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { basicConformance, fillForConformance } from './support/basic-conformance.ts';

const isRoot = process.getuid?.() === 0;
const identity = isRoot ? { uid: 65534, gid: 65534 } : {};
const main = join(import.meta.dirname, '../../examples/passthrough/main.ts');

function list(folder: string): string {
  return execFileSync('ls', ['-lA', '--time-style=+', folder], { encoding: 'utf8' });
}

test('programs find in it what they find in the folder', () => {
  const directory = mkdtempSync(join(tmpdir(), 'passthrough-'));
  try {
    const [folder, bare, mnt] = ['folder', 'bare', 'mnt'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    for (const each of [directory, folder, bare, mnt]) {
      mkdirSync(each, { recursive: true });
      chmodSync(each, 0o755);
      if (isRoot) chownSync(each, 65534, 65534);
    }
    for (const cwd of [folder, bare]) execFileSync('sh', ['-c', fillForConformance], { ...identity, cwd });
    // The namespaces take mount and server with them when they end.
    const script = `"${process.execPath}" --no-warnings --conditions=source "${main}" "${folder}" "${mnt}" &
      until mountpoint -q "${mnt}"; do sleep 0.05; done; cd "${mnt}"; ${basicConformance}`;
    const argv = ['-Urmpf', '--kill-child', '--mount-proc', 'sh', '-e', '-c', script];
    const { stdout, stderr } = spawnSync('unshare', argv, { ...identity, encoding: 'utf8', cwd: '/' });
    const expected = execFileSync('sh', ['-e', '-c', basicConformance], { ...identity, cwd: bare, encoding: 'utf8' });
    expect({ stdout, stderr }).toEqual({ stdout: expected, stderr: '' });
    expect(list(folder)).toBe(list(bare));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
