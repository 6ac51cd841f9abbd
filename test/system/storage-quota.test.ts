/**
 * `--storage-opt size=… inodes=…`: enforced by trun itself, shown by df, changed while a container runs. And what `info` tells of
 * the processes that serve file systems.
 *
 * Runs as: user, nosub
 */
import { describe, expect, test } from 'vitest';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { waitFor } from '../helpers/wait-for.ts';

const bed = useSandbox({ images: ['busybox'] });

describe('the quota of a FUSE writable layer', () => {
  const name = 'limited';

  async function inside(script: string): Promise<string> {
    return (await bed.box.trun(['exec', name, 'sh', '-c', script])).stdout.trim();
  }

  test('df shows it, and what is beyond it ends in ENOSPC', async () => {
    const options = ['--storage-opt', 'size=8m', '--storage-opt', 'inodes=100'];
    await bed.box.ok(['run', '-d', '--name', name, ...options, bed.image('busybox'), 'sleep', '1000']);
    expect(await inside("df -k / | tail -n 1 | awk '{ print $2 }'")).toBe(String(8 * 1024));
    expect(await inside("df -i / | tail -n 1 | awk '{ print $2 }'")).toBe('100');
    expect(await inside('dd if=/dev/zero of=/big bs=1M count=16 2>&1')).toContain('No space left on device');
    expect(Number(await inside('stat -c %s /big'))).toBeLessThanOrEqual(8 << 20);
    expect(await inside('rm /big; dd if=/dev/zero of=/fits bs=1M count=7 2>/dev/null; stat -c %s /fits')).toBe(
      String(7 << 20),
    );
    expect(await inside('mkdir /d; for i in $(seq 200); do : >/d/$i || break; done 2>&1')).toContain(
      'No space left on device',
    );
  });

  test('update changes it while the container runs, and for later starts', async () => {
    await bed.box.ok(['update', '--storage-opt', 'size=32m', '--storage-opt', 'inodes=1000', name]);
    expect(await inside("df -k / | tail -n 1 | awk '{ print $2 }'")).toBe(String(32 * 1024));
    expect(await inside('for i in $(seq 200); do : >/d/$i || break; done; ls /d | wc -l')).toBe('200');
    expect(await inside('dd if=/dev/zero of=/more bs=1M count=20 2>/dev/null; stat -c %s /more')).toBe(
      String(20 << 20),
    );
    await bed.box.ok(['restart', '-t', '0', name]);
    expect(await inside("df -k / | tail -n 1 | awk '{ print $2 }'")).toBe(String(32 * 1024));
    expect(await inside('dd if=/dev/zero of=/big bs=1M count=16 2>&1')).toContain('No space left on device');
  });

  test('a successor of a killed server keeps to it; 0 takes it away', async () => {
    await bed.box.ok(['update', '--storage-opt', 'size=64m', name]);
    for (const { pid } of bed.box.servers('image server')) process.kill(pid, 'SIGKILL');
    expect(await inside("df -k / | tail -n 1 | awk '{ print $2 }'")).toBe(String(64 * 1024));
    await bed.box.ok(['update', '--storage-opt', 'size=0', '--storage-opt', 'inodes=0', name]);
    expect(Number(await inside("df -k / | tail -n 1 | awk '{ print $2 }'"))).toBeGreaterThan(64 * 1024);
  });

  test('a limit below what is there keeps what is there, and more from coming', async () => {
    await bed.box.ok(['update', '--storage-opt', 'size=1m', name]);
    expect(await inside('stat -c %s /fits; echo x >/new || echo refused')).toBe(`${7 << 20}\nrefused`);
    // The space of a removed file comes back when the kernel says that it has forgotten it, which is not at once.
    await inside('rm /fits /big /more');
    await waitFor('room again', async () => (await inside('echo x >/new && cat /new || true')) === 'x');
  });

  test('what is no quota is one clear line', async () => {
    for (const [option, problem] of [
      ['size=much', 'invalid size'],
      ['writable=kernel', 'size=… or inodes=…'],
      ['inodes=-1', 'not a number of inodes'],
    ] as const) {
      const { status, stderr } = await bed.box.trun(['update', '--storage-opt', option, name]);
      expect(stderr).toContain(problem);
      expect(status).toBe(125);
    }
  });
});

test('a kernel writable layer has no quota, and says so', async ({ skip }) => {
  const image = bed.image('busybox');
  const made = await bed.box.trun(['create', '--name', 'kernel', '--storage-opt', 'writable=kernel', image, 'true']);
  if (made.status !== 0) skip('this host gives no kernel writable layer');
  const { stderr, status } = await bed.box.trun(['update', '--storage-opt', 'size=1g', 'kernel']);
  expect(stderr).toContain('writable=fuse');
  expect(status).toBe(1);
  const both = ['--storage-opt', 'writable=kernel', '--storage-opt', 'size=1g'];
  expect((await bed.box.trun(['run', '--rm', ...both, image, 'true'])).stderr).toContain('has no quota');
});

test('info counts the requests of file systems, by opcode and with their times', async () => {
  const script = 'echo x >/f; cat /f; ls -l /';
  await bed.box.ok([
    'run',
    '--name',
    'seen',
    '--storage-opt',
    'writable=fuse',
    bed.image('busybox'),
    'sh',
    '-c',
    script,
  ]);
  const held = ['run', '-d', '--name', 'held', '--storage-opt', 'writable=fuse', bed.image('busybox')];
  await bed.box.ok([...held, 'sh', '-c', `${script}; sleep 1000`]);
  const servers = JSON.parse(await bed.box.ok(['info', '--format', '{{json .FileServers}}'])) as Record<
    string,
    {
      Mounts: number;
      Requests: number;
      Crashes: number;
      Opcodes: Record<string, { Requests: number; Histogram: number[] }>;
    }
  >;
  const { writable } = servers;
  expect(writable!.Mounts).toBeGreaterThan(0);
  expect(writable!.Crashes).toBe(0);
  const { LOOKUP } = writable!.Opcodes;
  expect(LOOKUP!.Requests).toBeGreaterThan(0);
  expect(LOOKUP!.Histogram.reduce((sum, count) => sum + count, 0)).toBe(LOOKUP!.Requests);
  expect(await bed.box.ok('info')).toMatch(
    / writable: \d+ mounts?, \d+ requests, half within \d+ us, 99% within \d+ us/,
  );
});
