/** The example `overlay-mount` as a user calls it. */
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';

const isRoot = process.getuid?.() === 0;
const nobody = 65534;
const command = join(import.meta.dirname, '../../../examples/overlay-mount/overlay-mount');

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'overlay-mount-test-'));
  chmodSync(dir, 0o755);
  if (isRoot) chownSync(dir, nobody, nobody);
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

/** Runs a script in namespaces of its own, which take mounts and servers with them when they end; `mount` is the command. */
function run(script: string): { status: number | null; output: string; errors: string } {
  const text = `mount() { "${command}" "$@"; }; cd "${dir}"; ${script}`;
  const argv = ['-Urmpf', '--kill-child', '--mount-proc', 'sh', '-e', '-c', text];
  const options = { encoding: 'utf8' as const, cwd: '/', ...(isRoot && { uid: nobody, gid: nobody }) };
  const { status, stdout, stderr } = spawnSync('unshare', argv, options);
  return { status, output: stdout, errors: stderr };
}

const fill =
  'mkdir -p a/d b/d up work m; echo top > a/d/both; echo low > b/d/both; echo low > b/d/low; echo x > "b/with,comma";';

test('mounts in the background, keeps what was written, ends with umount', () => {
  const script = `${fill}
    mount -o lowerdir=a:b,upperdir=up,workdir=work m
    cat m/d/both m/d/low; echo new > m/d/new; rm m/d/low; umount m
    mount -o lowerdir=a:b -o upperdir=up,workdir=work,suid,dev m
    ls m/d; umount m; ls m b/d; find up -type f -printf '%P %s\n'; find up -type c -printf '%P\n'`;
  expect(run(script)).toEqual({
    status: 0,
    output: 'top\nlow\nboth\nnew\nb/d:\nboth\nlow\n\nm:\nd/new 4\nd/low\n',
    errors: '',
  });
});

test('without an upper directory the mount is read-only', () => {
  const { output, errors } = run(
    `${fill} mount -o lowerdir=b m; cat m/with,comma; (echo y > m/y) || echo refused; umount m`,
  );
  expect(output).toBe('x\nrefused\n');
  expect(errors).toContain('Read-only file system');
});

test("another overlay's upper directory goes on as one", () => {
  const script = `${fill} mkdir up/d; echo upper > up/d/both; touch up/d/.wh.low
    mount -o lowerdir=a:b,upperdir=up,workdir=work m; cat m/d/both; ls m/d; echo more >> m/d/both; umount m
    cat up/d/both; mount -o lowerdir=a:b,upperdir=up,workdir=work m; cat m/d/both`;
  expect(run(script)).toEqual({ status: 0, output: 'upper\nboth\nupper\nmore\nupper\nmore\n', errors: '' });
});

test('without a work directory the upper one has a form of its own, in which directories move', () => {
  const script = `${fill} mount -o lowerdir=a:b,upperdir=up m; stat -c %i m/d > ino; mv m/d m/moved; ls m/moved; stat -c %i m/moved | cmp - ino
    umount m; mount -o lowerdir=a:b,upperdir=up m; ls m; stat -c %i m/moved | cmp - ino; umount m; find up ! -type f ! -type d`;
  expect(run(script)).toEqual({ status: 0, output: 'both\nlow\nmoved\nwith,comma\n', errors: '' });
});

test('what is changed is seen in the upper directory at once, whiteouts and opaque directories too', () => {
  const script = `${fill} mount -o lowerdir=b,upperdir=up,workdir=work m
    chmod 600 m/d/low; cat up/d/low; stat -c %a up/d/low; rm -r m/d; stat -c %F up/d; mkdir m/d; ls -A m/d; find up -printf '%P\\n' | sort
    (mv m/with,comma m/d/) && ls up/d; umount m`;
  const output = 'low\n600\ncharacter special file\n\nd\nd/.wh..wh..opq\nwith,comma\n';
  expect(run(script)).toEqual({ status: 0, output, errors: '' });
});

test('static_nlink and noxattrs, as fuse-overlayfs has them', () => {
  const script = `${fill} mkdir b/d/sub; mount -o static_nlink,noxattrs=1,lowerdir=b,upperdir=up,workdir=work m
    stat -c %h m/d; python3 -c 'import os; os.setxattr("m/d/low", "user.x", b"")' 2>&1 | grep -o 'not supported'`;
  expect(run(script)).toEqual({ status: 0, output: '1\nnot supported\n', errors: '' });
});

test('owners and quota', () => {
  const script = `${fill} mount -o lowerdir=b,upperdir=up,workdir=work,squash_to_uid=0,squash_to_gid=0,size=1M m
    stat -c %u:%g m/d/low; df --output=size m | tail -1 | tr -d ' '; dd if=/dev/zero of=m/full bs=64k 2>&1 | grep -o 'No space.*'`;
  expect(run(script)).toEqual({ status: 0, output: '0:0\n1024\nNo space left on device\n', errors: '' });
});

test.each([
  ['-o lowerdir=nowhere,upperdir=up,workdir=work m', 'overlay-mount: Cannot open directory nowhere'],
  ['-o upperdir=up,workdir=work m', 'overlay-mount: give the lower directories'],
  ['-o lowerdir=b,nonsense m', 'overlay-mount: unknown option nonsense'],
  ['-o lowerdir=b', 'overlay-mount: give one directory'],
  ['-o lowerdir=b,size=much,upperdir=up m', 'overlay-mount: size wants a number'],
  ['-o lowerdir=b,upperdir=up,workdir=work nowhere', 'overlay-mount: Cannot mount'],
])('%s: one line of error', (args, message) => {
  const { status, errors } = run(`${fill} mount ${args}`);
  expect(errors.trim().split('\n')).toEqual([expect.stringContaining(message)]);
  expect(status).toBe(1);
});

test('two mounts of one upper directory are refused', () => {
  const { status, errors } = run(
    `${fill} mkdir n; mount -o lowerdir=b,upperdir=up,workdir=work m; mount -o lowerdir=b,upperdir=up,workdir=work n`,
  );
  expect(errors).toContain('another process serves it');
  expect(status).toBe(1);
});
