/**
 * Limits on whatever host this is: they hold where cgroups are to be had, and are a clear error elsewhere. The guest's
 * tests show them on cgroup v2 in any case.
 */
import { describe, expect, test } from 'vitest';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ images: ['busybox'] });

describe.each([
  [['--memory', '64m'], '67108864', 'memory.max'],
  [['--pids-limit', '50'], '50', 'pids.max'],
  [['--cpus', '0.5'], '50000 100000', 'cpu.max'],
])('%j', (flags, value, file) => {
  test('holds, or is refused with what is missing and its mend', async () => {
    const words = ['run', '--rm', ...flags, bed.image('busybox'), 'cat', `/sys/fs/cgroup/${file}`];
    const { status, stdout, stderr } = await bed.box.trun(words);
    if (status === 0) {
      expect(stdout.trim()).toBe(value);
    } else {
      expect(status).toBe(125);
      expect(stderr.trimEnd().split('\n')).toHaveLength(1);
      expect(stderr).toMatch(/cgroup/i);
      expect(stderr).toMatch(/systemd|delegate/i);
    }
    expect(await bed.box.ok('ps -a -q')).toBe('');
  });
});

test('without limits nothing is said', async () => {
  expect(await bed.box.trun(['run', '--rm', bed.image('busybox'), 'true'])).toMatchObject({
    status: 0,
    stdout: '',
    stderr: '',
  });
});
