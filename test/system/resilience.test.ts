/**
 * kill -9 of trun's own processes while containers read, write, print and serve: the containers go on, nothing that
 * they print is lost, exit codes are right, and every command works again.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isAlive, killProcessesOf } from '../helpers/processes.ts';
import { freePort } from '../helpers/registry.ts';
import { type Program, allPrograms } from '../helpers/sandbox.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { waitFor } from '../helpers/wait-for.ts';

const bed = useSandbox({ images: ['busybox'], requires: ['dev-net-tun'] });
let count = 0;

function pidsOf(...names: readonly Program[]): number[] {
  return bed.box.servers(...names).map(({ pid }) => pid);
}

/** Kills the processes and returns when they are gone. */
async function killAll(...names: readonly Program[]): Promise<void> {
  const pids = pidsOf(...names);
  expect(pids.length, `processes of ${names.join(', ')}`).toBeGreaterThanOrEqual(names.length);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await waitFor('the killed processes to be gone', () => !pids.some(isAlive));
}

async function detached(script: string, ...options: readonly string[]): Promise<string> {
  const name = `res-${count++}`;
  onTestFinished(async () => {
    await bed.box.trun(['rm', '-f', name]);
  });
  await bed.box.ok(['run', '-d', '--name', name, ...options, bed.image('busybox'), 'sh', '-c', script]);
  return name;
}

function numbers(upTo: number): string {
  return Array.from({ length: upTo }, (_, index) => String(index + 1)).join('\n');
}

/** Prints 1 to 400, 100 a second, and reads and writes files all the while. Exits with 7, or 1 on any error. */
const worker = `
  i=0
  while [ $i -lt 400 ]; do
    i=$((i + 1)); echo $i
    echo $i >/work-$((i % 10)) && [ "$(cat /work-$((i % 10)))" = $i ] || exit 1
    cat /etc/passwd /bin/busybox >/dev/null || exit 1
    sleep 0.01
  done
  exit 7`;

describe.each([...allPrograms, 'all three'] as const)('kill -9 of %s', (which) => {
  const killed = which === 'all three' ? allPrograms : [which];

  test('a working container prints everything, and its exit code is right', async () => {
    const name = await detached(worker);
    for (let round = 0; round < 3; round++) {
      await sleep(700);
      await killAll(...killed);
      // Whichever command comes next brings the killed processes back.
      expect(await bed.box.ok(['exec', name, 'echo', 'again'])).toBe('again');
    }
    expect(await bed.box.ok(['wait', name])).toBe('7');
    expect(await bed.box.ok(['logs', name])).toBe(numbers(400));
    expect(await bed.box.inspect(name, '{{.State.Status}} {{.State.ExitCode}}')).toBe('exited 7');
  });

  test('a container goes on within a second', async () => {
    const script = 'while :; do read up rest </proc/uptime; cat /etc/passwd >/dev/null; echo $up; sleep 0.05; done';
    const name = await detached(script);
    await sleep(1000);
    await killAll(...killed);
    await sleep(3000);
    await bed.box.ok(['exec', name, 'true']);
    const times = (await bed.box.ok(['logs', name])).split('\n').map(Number);
    const gaps = times.slice(1).map((time, index) => time - times[index]!);
    // Two loaded cores are given some grace: a container that hung would show many seconds.
    expect(Math.max(...gaps)).toBeLessThan(2);
    expect(times.length).toBeGreaterThan(20);
  });

  test('nobody has to call: it all comes back by itself', async () => {
    const name = await detached('while :; do cat /bin/busybox >/dev/null; sleep 0.05; done', '-p', '127.0.0.1::80');
    await killAll(...killed);
    await waitFor('the successors', () => killed.every((each) => pidsOf(each).length > 0), { timeout: 10_000 });
    expect(await bed.box.inspect(name, '{{.State.Status}}')).toBe('running');
  });

  test('logs -f, attach and exec -it work again', async () => {
    const name = await detached('while [ ! -e /go ]; do echo tick; sleep 0.2; done; echo last; exit 5');
    await killAll(...killed);
    const following = bed.box.start(['logs', '-f', name]);
    const attached = bed.box.start(['attach', name]);
    await following.printed('tick');
    await attached.printed('tick');
    await bed.box.ok(['exec', name, 'touch', '/go']);
    expect((await attached.result).status).toBe(5);
    expect((await following.result).stdout).toMatch(/tick\nlast\n$/);
  });

  test('stop, start, restart and new containers work again', async () => {
    const name = await detached("trap 'exit 3' TERM; while :; do sleep 0.1; done");
    await sleep(300);
    await killAll(...killed);
    await bed.box.ok(['stop', '-t', '5', name]);
    expect(await bed.box.inspect(name, '{{.State.ExitCode}}')).toBe('3');
    await bed.box.ok(['start', name]);
    await killAll(...killed);
    expect(await bed.box.ok(['run', '--rm', bed.image('busybox'), 'echo', 'new'])).toBe('new');
    await bed.box.ok(['restart', '-t', '5', name]);
    expect(await bed.box.inspect(name, '{{.State.Status}}')).toBe('running');
  });

  test('a published port answers again', async () => {
    const port = await freePort();
    await detached('exec httpd -f -p 80 -h /var/www', '-p', `127.0.0.1:${port}:80`);
    async function page(): Promise<string | undefined> {
      const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2000) }).catch(
        () => undefined,
      );
      return answer?.text();
    }
    await waitFor('the page', page);
    await killAll(...killed);
    expect(await waitFor('the page', page, { timeout: 10_000 })).toBe('served by busybox\n');
  });
});

describe('a container that ends while nobody watches', () => {
  test('is recorded by its monitor', async () => {
    const name = await detached('sleep 1; echo late; exit 6');
    await killAll('agent');
    await sleep(2500);
    expect(await bed.box.ok(['wait', name])).toBe('6');
    expect(await bed.box.ok(['logs', name])).toBe('late');
  });

  test('a foreground run ends with the right code all the same', async () => {
    const running = bed.box.start([
      'run',
      '--rm',
      bed.image('busybox'),
      'sh',
      '-c',
      'echo up; sleep 2; echo down; exit 6',
    ]);
    await running.printed('up');
    await killAll('agent');
    expect(await running.result).toMatchObject({ status: 6, stdout: 'up\ndown\n' });
  });
});

describe('kill -9 of what a container hangs on', () => {
  test('its monitor: the container is reported ended, and nothing of it is left', async () => {
    const name = await detached('sleep 1000');
    const pid = Number(await bed.box.inspect(name, '{{.State.Pid}}'));
    const parent = bed.box.processes().find((each) => each.pid === pid)!.parent;
    process.kill(parent, 'SIGKILL');
    await bed.box.becomes(name, 'exited');
    await waitFor('its process to end', () => !isAlive(pid));
    await bed.box.ok(['rm', name]);
  });

  test('everything at once, as a crash of the machine: containers are reported ended and start again', async () => {
    const name = await detached('echo run >>/runs; sync; while :; do sleep 0.1; done');
    await bed.box.ok(['exec', name, 'sh', '-c', 'until [ -s /runs ]; do sleep 0.05; done']);
    // Again and again: a monitor that is killed after its agent may have started another.
    await killProcessesOf(bed.box.folder);
    const listed = await bed.box.ok(['ps', '-a', '--format', '{{.Names}} {{.State}}']);
    expect(listed.split('\n')).toContain(`${name} exited`);
    await bed.box.ok(['start', name]);
    await waitFor('the second run', async () => (await bed.box.ok(['exec', name, 'cat', '/runs'])) === 'run\nrun');
    expect(await bed.box.ok(['run', '--rm', bed.image('busybox'), 'echo', 'fine'])).toBe('fine');
  });
});

describe('a start that is cut off', () => {
  test.each([0, 10, 20, 40, 60, 90, 130])('kill -9 of agent and client after %d ms leaves a true state', async (ms) => {
    await bed.box.ok(['run', '--rm', bed.image('busybox'), 'true']);
    const name = `cut-${ms}`;
    const running = bed.box.start(['run', '-d', '--name', name, bed.image('busybox'), 'sleep', '1000']);
    await sleep(ms);
    for (const pid of pidsOf('agent')) process.kill(pid, 'SIGKILL');
    running.kill();
    await running.result;
    const rows = await bed.box.ok(['ps', '-a', '--format', '{{.Names}} {{.State}}']);
    const row = rows.split('\n').find((each) => each.startsWith(name));
    if (row !== undefined) {
      expect(row).toMatch(/ (running|created|exited)$/);
      await bed.box.ok(['rm', '-f', name]);
    }
    // The name is free, whatever was left lying.
    await bed.box.ok(['run', '--rm', '--name', name, bed.image('busybox'), 'true']);
    await waitFor('every process of it to end', () => bed.box.containerProcesses().length === 0);
  });
});
