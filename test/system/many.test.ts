/**
 * Fifty containers at once.
 */
import { expect, test } from 'vitest';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { waitFor } from '../helpers/wait-for.ts';

const bed = useSandbox({ images: ['busybox'], requires: ['dev-net-tun'] });
const fifty = Array.from({ length: 50 }, (_, index) => index);

test('50 started at once all run, each with an address of its own, and all are cleaned up', async () => {
  const ids = await Promise.all(
    fifty.map((index) => {
      const words = ['run', '-d', '--name', `many-${index}`, bed.image('busybox'), 'sleep', '1000'];
      return bed.box.ok(words, { timeout: 120_000 });
    }),
  );
  expect(new Set(ids).size).toBe(50);
  expect((await bed.box.ok('ps -q')).split('\n')).toHaveLength(50);
  expect(await bed.box.ok(['exec', 'many-49', 'hostname'])).toBe(ids[49]!.slice(0, 12));

  const names = fifty.map((index) => `many-${index}`);
  const inspected = await bed.box.ok([
    'inspect',
    '--format',
    '{{.NetworkSettings.IPAddress}} {{.State.Status}}',
    ...names,
  ]);
  const addresses = inspected.split('\n');
  expect(new Set(addresses).size).toBe(50);
  expect(addresses.every((line) => /^\d+\.\d+\.\d+\.\d+ running$/.test(line))).toBe(true);

  await bed.box.ok(['rm', '-f', ...names], { timeout: 120_000 });
  expect(await bed.box.ok('ps -a -q')).toBe('');
  await waitFor('every process of theirs to end', () => bed.box.containerProcesses().length === 0);
});

test('50 foreground runs at once give 50 exit codes and outputs', async () => {
  const runs = fifty.map((index) =>
    bed.box.trun(['run', '--rm', bed.image('busybox'), 'sh', '-c', `echo ${index}; exit ${index}`], {
      timeout: 120_000,
    }),
  );
  const results = (await Promise.all(runs)).map(({ status, stdout, stderr }) => ({ status, stdout, stderr }));
  expect(results).toEqual(fifty.map((index) => ({ status: index, stdout: `${index}\n`, stderr: '' })));
  expect(await bed.box.ok('ps -a -q')).toBe('');
});

test('starts and removals of one another leave the rest alone', async () => {
  await bed.box.ok([
    'run',
    '-d',
    '--name',
    'steady',
    bed.image('busybox'),
    'sh',
    '-c',
    'while :; do cat /bin/busybox >/dev/null || exit 1; sleep 0.02; done',
  ]);
  for (let round = 0; round < 5; round++) {
    const names = [0, 1, 2, 3, 4].map((index) => `churn-${round}-${index}`);
    await Promise.all(
      names.map((name) => bed.box.ok(['run', '-d', '--name', name, bed.image('busybox'), 'sleep', '1000'])),
    );
    await Promise.all(names.map((name) => bed.box.ok(['rm', '-f', name])));
  }
  expect(await bed.box.inspect('steady', '{{.State.Status}}')).toBe('running');
  await bed.box.ok('rm -f steady');
});
