/**
 * `trun exec`: a further command in a running container.
 */
import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { waitFor } from '../helpers/wait-for.ts';

const bed = useSandbox({ images: ['busybox'] });

beforeAll(async () => {
  if (bed.isOpen) {
    const options = ['-d', '--name', 'box', '-e', 'OF_BOX=yes', '-w', '/tmp'];
    await bed.box.ok(['run', ...options, bed.image('busybox'), 'sleep', '1000']);
  }
});
afterAll(async () => {
  if (bed.isOpen) await bed.box.ok('rm -f box');
});

describe('output and exit codes', () => {
  test('prints and keeps the streams apart', async () => {
    expect(await bed.box.trun(['exec', 'box', 'sh', '-c', 'echo out; echo err >&2; exit 4'])).toMatchObject({
      status: 4,
      stdout: 'out\n',
      stderr: 'err\n',
    });
  });

  test('126, 127 and 128+n', async () => {
    const missing = await bed.box.trun('exec box no-such-command');
    expect(missing.status).toBe(127);
    expect(missing.stderr).toMatch(/no-such-command/);
    expect((await bed.box.trun('exec box /etc/passwd')).status).toBe(126);
    expect((await bed.box.trun(['exec', 'box', 'sh', '-c', 'kill -9 $$'])).status).toBe(137);
  });

  test('an unknown container, a stopped one', async () => {
    const unknown = await bed.box.trun('exec no-such-box true');
    expect(unknown.status).toBe(1);
    expect(unknown.stderr).toMatch(/no such container: no-such-box/i);
    const id = await bed.box.ok(['run', '-d', bed.image('busybox'), 'true']);
    await bed.box.ok(['wait', id]);
    const stopped = await bed.box.trun(['exec', id, 'true']);
    expect(stopped.status).toBe(1);
    expect(stopped.stderr).toMatch(/is not running/);
  });

  test('a large output is whole', async () => {
    const { stdout } = await bed.box.trun(['exec', 'box', 'sh', '-c', 'yes 0123456789abcde | head -c 16000000']);
    expect(stdout).toBe('0123456789abcde\n'.repeat(1_000_000));
  });
});

describe('options', () => {
  test('-i passes standard input on, and without it there is none', async () => {
    const input = randomBytes(2_000_000).toString('base64');
    const { stdout } = await bed.box.trun('exec -i box sha256sum', { input });
    expect(stdout.split(' ')[0]).toBe(createHash('sha256').update(input).digest('hex'));
    expect(await bed.box.ok('exec box cat', { input: 'unseen' })).toBe('');
  });

  test("-e adds to the container's environment, -w and the container's folder", async () => {
    expect(await bed.box.ok(['exec', '-e', 'MORE=1', 'box', 'sh', '-c', 'echo $OF_BOX $MORE; pwd'])).toBe(
      'yes 1\n/tmp',
    );
    expect(await bed.box.ok('exec -w /etc box pwd')).toBe('/etc');
  });

  test('-d returns at once', async () => {
    const { milliseconds, stdout } = await bed.box.trun(['exec', '-d', 'box', 'sh', '-c', 'sleep 1; touch /tmp/done']);
    expect(milliseconds).toBeLessThan(1000);
    expect(stdout).toBe('');
    await waitFor('the detached command', async () => (await bed.box.trun('exec box test -e /tmp/done')).status === 0);
  });
});

describe('what it joins', () => {
  test('all namespaces, the root and the limits of its container', async () => {
    const names = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'];
    const script = names.map((name) => `readlink /proc/1/ns/${name}; readlink /proc/self/ns/${name}`).join(';');
    const lines = (await bed.box.ok(['exec', 'box', 'sh', '-c', script])).split('\n');
    expect(lines).toHaveLength(2 * names.length);
    for (let index = 0; index < lines.length; index += 2) expect(lines[index]).toBe(lines[index + 1]);
    expect(await bed.box.ok('exec box readlink /proc/self/root')).toBe('/');
  });

  test('with the capabilities, the filter and the descriptors of a container', async () => {
    const status = await bed.box.ok('exec box cat /proc/self/status');
    expect(status).toMatch(/^CapEff:\s*00000000a80425fb$/m);
    expect(status).toMatch(/^CapBnd:\s*00000000a80425fb$/m);
    expect(status).toMatch(/^Seccomp:\s*2$/m);
    expect(await bed.box.ok('exec box ls /proc/self/fd')).toBe('0\n1\n2\n3');
  });
});

describe('many', () => {
  test('20 at once', async () => {
    const runs = Array.from({ length: 20 }, (_, index) =>
      bed.box.trun(['exec', 'box', 'sh', '-c', `echo ${index}; exit ${index}`]),
    );
    for (const [index, result] of (await Promise.all(runs)).entries()) {
      expect(result).toMatchObject({ status: index, stdout: `${index}\n` });
    }
  });

  test('the end of the container ends them, 137', async () => {
    await bed.box.ok(['run', '-d', '--name', 'short', bed.image('busybox'), 'sleep', '1000']);
    const running = bed.box.start(['exec', 'short', 'sh', '-c', 'echo up; sleep 1000']);
    await running.printed('up');
    await bed.box.ok('rm -f short');
    expect((await running.result).status).toBe(137);
  });
});
