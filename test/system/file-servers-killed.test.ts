/**
 * Image server and server of FUSE layers are killed with -9 again and again while containers with both kinds of writable layer read
 * and write: no program notices, and nothing that was synced is lost. IMAGE_SERVER_KILLS=N kills more often.
 *
 * Runs as: user
 */
import { globSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { isAlive } from '../helpers/processes.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { waitFor } from '../helpers/wait-for.ts';

const bed = useSandbox({ images: ['busybox'] });
const [major, minor] = release().split('.').map(Number) as [number, number];
const hasResend = major > 6 || (major === 6 && minor >= 9);
const kills = Number(process.env['IMAGE_SERVER_KILLS'] ?? 10);

/** Reads what the image has by another way each time, and writes, syncs and reads its own; ends when /stop is there. */
const script = `
  first=$(cat /bin/busybox | md5sum); n=0
  while [ ! -e /stop ]; do
    n=$((n + 1))
    echo 3 >/proc/sys/vm/drop_caches 2>/dev/null
    [ "$(cat /bin/busybox | md5sum)" = "$first" ] || { echo "another busybox at $n"; exit 1; }
    ls -lR /bin /etc /usr /var >/dev/null || { echo "no listing at $n"; exit 1; }
    cp /bin/busybox /copy$n && [ "$(md5sum </copy$n)" = "$first" ] || { echo "another copy at $n"; exit 1; }
    mv /copy$n /copy; echo $n >>/log; echo $n >/kept; sync -f /log 2>/dev/null || sync
    [ "$(wc -l </log)" = $n ] && [ "$(cat /kept)" = $n ] || { echo "log or file lost at $n"; exit 1; }
  done
  seq $n | cmp - /log && echo done`;

test.skipIf(!hasResend)(`${kills} kills under load (Linux 6.9)`, { timeout: 120_000 + kills * 3000 }, async () => {
  const layers = ['kernel', 'fuse'] as const;
  for (const layer of layers) {
    const words = ['run', '-d', '--name', layer, '--storage-opt', `writable=${layer}`, bed.image('busybox')];
    await bed.box.ok([...words, 'sh', '-c', script]);
  }
  const seen = new Set<number>();
  for (let kill = 0; kill < kills; kill++) {
    await waitFor('both servers', () => bed.box.servers('image server').length >= layers.length, { timeout: 30_000 });
    await sleep(50 + Math.random() * 200);
    for (const { pid } of bed.box.servers('image server')) {
      seen.add(pid);
      process.kill(pid, 'SIGKILL');
    }
  }
  expect(seen.size).toBeGreaterThanOrEqual(kills);
  for (const layer of layers) {
    await bed.box.ok(['exec', layer, 'touch', '/stop'], { timeout: 60_000 });
    expect(await bed.box.ok(['wait', layer], { timeout: 60_000 }), await bed.box.ok(['logs', layer])).toBe('0');
    expect(await bed.box.ok(['logs', layer])).toBe('done');
  }
});

test(
  'a server that dies under the first start, with nothing running yet, is replaced',
  { timeout: 60_000 },
  async () => {
    await bed.box.removeContainers();
    await bed.box.ok('run --rm host true');
    const [server] = bed.box.servers('image server').filter(({ command }) => / images /.test(command));
    // Stopped, it holds its lock: the start takes it for alive, and its first process waits for an answer.
    process.kill(server!.pid, 'SIGSTOP');
    const start = bed.box.start('run --rm host true', { timeout: 40_000 });
    await waitFor('the first process', () => bed.box.containerProcesses().length > 0);
    process.kill(server!.pid, 'SIGKILL');
    expect(await start.result).toMatchObject({ status: 0, stderr: '' });
  },
);

test('a mount whose keeper is killed is served on, beside the one that the next container gets', async () => {
  await bed.box.removeContainers();
  await bed.box.ok('run -d --name first host sleep 1000');
  const [record] = globSync(join(bed.box.folder, '**/mounts.d/folder-*.json'));
  const { keeper } = JSON.parse(readFileSync(record!, 'utf8')) as { keeper: { pid: number } };
  process.kill(keeper.pid, 'SIGKILL');
  await waitFor('the keeper to be gone', () => !isAlive(keeper.pid));
  expect(await bed.box.ok('run --rm host echo second')).toBe('second');
  expect(await bed.box.ok('exec first cat /etc/hostname')).toBe(await bed.box.ok('exec first hostname'));
  await bed.box.ok('rm -f first');
});
