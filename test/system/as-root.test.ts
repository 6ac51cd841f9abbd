/**
 * trun run by root, and what only root can arrange for a user: machines that lack something.
 *
 * Runs as: root
 */
import { existsSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Result, output, run } from '../helpers/command.ts';
import { launcher } from '../helpers/paths.ts';
import { Sandbox } from '../helpers/sandbox.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { outsideWrites } from '../helpers/strace.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { unmet } from '../helpers/requirements.ts';

const bed = useSandbox({ images: ['busybox'], requires: ['root'] });

describe('as root', () => {
  test('run, detach, exec, remove', async () => {
    expect(await bed.box.ok('run --rm host echo hello')).toBe('hello');
    await bed.box.ok(['run', '-d', '--name', 'of-root', bed.image('busybox'), 'sleep', '1000']);
    expect(await bed.box.ok('exec of-root id -u')).toBe('0');
    await bed.box.ok('rm -f of-root');
  });

  test('all ids of the machine are there, and a container is confined all the same', async () => {
    const printed = await bed.box.ok(['run', '--rm', '-u', '12345', bed.image('busybox'), 'id', '-u']);
    expect(printed).toBe('12345');
    const status = await bed.box.ok(['run', '--rm', bed.image('busybox'), 'cat', '/proc/self/status']);
    expect(status).toMatch(/^CapBnd:\s*00000000a80425fb$/m);
    expect(status).toMatch(/^Seccomp:\s*2$/m);
    const script = '(echo 1 >/proc/sys/kernel/domainname) 2>&1; mknod /sda b 8 0; cat /sda 2>&1 | head -c 100; true';
    expect(await bed.box.ok(['run', '--rm', bed.image('busybox'), 'sh', '-c', script])).toMatch(/read-only/i);
  });

  test("the host's files are safe", async () => {
    const before = readFileSync('/etc/passwd', 'utf8');
    await bed.box.ok(['run', '--rm', 'host', 'sh', '-c', 'echo changed >/etc/passwd; rm -rf /etc/shadow']);
    expect(readFileSync('/etc/passwd', 'utf8')).toBe(before);
    expect(existsSync('/etc/shadow')).toBe(true);
  });
});

/** Runs a shell script as the test user, in a mount namespace that root's `preparation` has changed. */
async function asUser(box: Sandbox, preparation: string, script: string): Promise<Result> {
  const [, , uid, gid] = (await output('getent', ['passwd', 'trun-test'])).split(':');
  for (const folder of [box.folder, box.runtime, box.home]) {
    await chown(folder, Number(uid), Number(gid));
    await chmod(folder, 0o755);
  }
  const drop = `exec setpriv --reuid ${uid} --regid ${gid} --init-groups sh -c "$1" "$2"`;
  return run('unshare', ['--mount', 'sh', '-ec', `${preparation}\n${drop}`, 'sh', script, launcher], { env: box.env });
}

/** A sandbox that the test user works in. */
function userSandbox(): Sandbox {
  const box = new Sandbox();
  onTestFinished(() => box.discard());
  return box;
}

describe('a machine that lacks something', () => {
  test('/dev/fuse', async () => {
    const box = userSandbox();
    const preparation = `
      mkdir ${box.folder}/dev; cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/net ${box.folder}/dev
      mount --bind ${box.folder}/dev /dev 2>/dev/null`;
    const { status, stderr } = await asUser(box, preparation, `"$0" run --rm ${bed.image('busybox')} true`);
    expect(status, stderr).toBe(0);
    expect(stderr).toMatch(/\/dev\/fuse.*plain copies/);
    expect(stderr.split('\n').filter((line) => /^trun: /.test(line))).toHaveLength(1);
  });

  test('newuidmap: it is said in one line, whether or not the run goes on with a single id', async () => {
    const box = userSandbox();
    const hide = 'for f in /usr/bin/newuidmap /usr/bin/newgidmap; do mount --bind /dev/null $f; done';
    const { status, stderr } = await asUser(box, hide, `"$0" run --rm host true`);
    expect([0, 125]).toContain(status);
    expect(stderr).toMatch(/newuidmap.*uidmap/s);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });

  test('room on the disk: the pull fails with one line and leaves no image', async () => {
    const box = userSandbox();
    await mkdir(box.root);
    const preparation = `mount -t tmpfs -o size=1200k,mode=777 small ${box.root}`;
    const script = `"$0" pull -q ${bed.image('busybox')}; echo "status $?"; "$0" images -q | wc -l`;
    const { stdout, stderr } = await asUser(box, preparation, script);
    const [status, images] = stdout.trim().split('\n');
    expect(status).toBe('status 1');
    expect(images).toBe('0');
    expect(stderr).toMatch(/no space left|ENOSPC/i);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});

test('from a cold start on, an ordinary user’s run writes nothing elsewhere (strace)', async ({ skip }) => {
  const reason = await unmet(['strace']);
  if (reason !== undefined) skip(reason);
  const box = userSandbox();
  const trace = join(box.folder, 'trace');
  // strace -u leaves set-user-ID programs (newuidmap) their privilege.
  const calls = 'trace=file,clone,clone3,fork,vfork,setns,unshare';
  const script = `"$0" run --rm "$1" sh -c 'echo x >/file' && "$0" run --rm host touch /by-host`;
  await asUser(box, 'true', 'true');
  const strace = ['-u', 'trun-test', '-f', '-y', '-qq', '-s', '300', '-e', calls, '-o', trace];
  const ended = join(box.runtime, 'ended');
  const tracing = run(
    'strace',
    [...strace, 'sh', '-c', `${script}; status=$?; touch ${ended}; exit $status`, launcher, bed.image('busybox')],
    {
      env: box.env,
      timeout: 90_000,
    },
  );
  // strace follows the servers that outlive the command: end them when it has ended.
  await waitFor('the command to end', () => existsSync(ended), { timeout: 60_000, interval: 200 });
  for (const { pid, command } of box.processes()) if (!command.startsWith('strace ')) process.kill(pid, 'SIGKILL');
  const result = await tracing;
  expect(result.status, result.stderr).toBe(0);
  const lines = readFileSync(trace, 'utf8').split('\n');
  expect(lines.length).toBeGreaterThan(500);
  expect(outsideWrites(lines, [box.root, box.runtime])).toEqual([]);
});
