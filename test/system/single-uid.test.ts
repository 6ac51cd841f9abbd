/**
 * A user without a line in /etc/subuid: one uid and one gid are mapped, the user's own, to root inside.
 *
 * Runs as: nosub
 */
import { describe, expect, onTestFinished, test } from 'vitest';
import { imageReference, startImageRegistry } from '../helpers/images.ts';
import { unmet } from '../helpers/requirements.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ images: ['busybox', 'features'], requires: ['no-subordinate-ids'] });

function busybox(options: readonly string[], script: string): Promise<string> {
  return bed.box.ok(['run', '--rm', ...options, bed.image('busybox'), 'sh', '-c', script]);
}

test('the map has one id', async () => {
  expect((await busybox([], 'cat /proc/self/uid_map; cat /proc/self/gid_map')).trim().split(/\s+/)).toEqual([
    '0',
    '0',
    '1',
    '0',
    '0',
    '1',
  ]);
});

test('run --rm host echo hello', async () => {
  expect(await bed.box.ok('run --rm host echo hello')).toBe('hello');
});

test('root inside works on files as root does', async () => {
  const script = 'id -u; touch /f; chmod 600 /f; chown 0:0 /f; stat -c %u:%g:%a /f; mkdir /d; rm -r /d; echo fine';
  expect(await busybox([], script)).toBe('0\n0:0:600\nfine');
});

test('another user is an error that names the reason', async () => {
  const { status, stderr } = await bed.box.trun(['run', '--rm', '-u', '1000', bed.image('busybox'), 'id']);
  expect([125, 126]).toContain(status);
  expect(stderr).toMatch(/subuid|subordinate|single|mapped/i);
  expect(stderr.trimEnd().split('\n')).toHaveLength(1);
});

test('chown, set*id and mknod are answered as done, and real errors are errors', async () => {
  const script = `touch /f && chown 100:100 /f && chgrp 42 /f && mknod /dev/x c 1 3 && mknod /fifo p && test -p /fifo &&
    stat -c %u:%g /f && chown 0 /missing 2>&1; su -s /bin/sh guest -c 'echo as guest' 2>&1 || true`;
  const printed = await busybox([], script);
  expect(printed).toContain('0:0');
  expect(printed).toContain('/missing: No such file or directory');
  expect(await busybox(['--security-opt', 'seccomp=unconfined'], 'touch /f; chown 5:5 /f && echo done')).toBe('done');
  expect(await busybox(['--privileged'], 'touch /f; chown 5:5 /f && echo done')).toBe('done');
});

test('exec has the same answers, and no other user', async () => {
  onTestFinished(async () => {
    await bed.box.trun('rm -f emulated');
  });
  await bed.box.ok(['run', '-d', '--name', 'emulated', bed.image('busybox'), 'sleep', '1000']);
  expect(await bed.box.ok(['exec', 'emulated', 'sh', '-c', 'touch /f; chown 7:7 /f && echo done'])).toBe('done');
  expect((await bed.box.trun(['exec', '-u', '7', 'emulated', 'id'])).stderr).toMatch(/single id is mapped/);
});

test('apt-get installs packages of Debian', async ({ skip }) => {
  const reason = (await unmet(['debian-image'])) ?? (await unmet(['debian-mirror']));
  if (reason !== undefined) skip(reason);
  const registry = await startImageRegistry(['debian']);
  try {
    const image = imageReference(registry, 'debian');
    await bed.box.ok(['pull', '-q', image], { timeout: 120_000 });
    const script =
      'apt-get update && apt-get install -y hello openssh-client && hello && dpkg -V hello && dpkg --audit && echo verified';
    const { status, stdout, stderr } = await bed.box.trun(['run', '--rm', image, 'sh', '-c', script], {
      timeout: 150_000,
    });
    expect({ status, stderr: status === 0 ? '' : stderr + stdout }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('Hello, world!');
    expect(stdout).toContain('verified');
  } finally {
    await registry[Symbol.asyncDispose]();
  }
});

test("an image whose files have other owners' runs, and its files are readable", async () => {
  const words = ['run', '--rm', '-u', '0', '--entrypoint', 'cat', bed.image('features'), '/data/replaced'];
  expect(await bed.box.ok(words)).toBe('new');
});

describe.each(['kernel', 'fuse'])('with writable=%s', (writable) => {
  test('everything on disk is the user’s, before and after the removal', async () => {
    const words = [
      'run',
      '--name',
      `single-${writable}`,
      '--storage-opt',
      `writable=${writable}`,
      bed.image('busybox'),
    ];
    await bed.box.ok([...words, 'sh', '-c', 'touch /f; mkdir /d; rm /etc/passwd; ln -s x /l']);
    expect(await bed.box.foreignFiles()).toBe('');
    await bed.box.ok(['rm', `single-${writable}`]);
  });
});

test('the network works as well', async () => {
  expect(await busybox([], 'ip -4 addr show dev eth0')).toMatch(/inet \d/);
});

test('doctor says what is missing and how to mend it', async () => {
  const { stdout } = await bed.box.trun('doctor');
  expect(stdout).toMatch(/subuid/);
  expect(stdout).toMatch(/usermod|\/etc\/subuid/);
});
