/**
 * Watching and steering containers that run: pause, health checks, events, stats, wait, prune.
 *
 * Runs as: user, nosub
 */
import { readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isAlive } from '../helpers/processes.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { waitFor } from '../helpers/wait-for.ts';

const bed = useSandbox();
let count = 0;

async function detached(script: string, ...options: readonly string[]): Promise<string> {
  const name = `ctl-${count++}`;
  onTestFinished(async () => {
    await bed.box.trun(['rm', '-f', name]);
  });
  await bed.box.ok(['run', '-d', '--name', name, ...options, 'host', 'sh', '-c', script]);
  return name;
}

const forever = 'trap "exit 0" TERM; while :; do sleep 0.1; done';

async function killAgents(): Promise<void> {
  const pids = bed.box.servers('agent').map(({ pid }) => pid);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await waitFor('the agent to be gone', () => !pids.some(isAlive));
}

/** States of the processes of a container, one letter each. */
async function states(name: string): Promise<string> {
  const pids = (await bed.box.ok(['top', name, '-o', 'pid'])).split('\n').slice(1);
  return pids.map((pid) => /\) (.)/.exec(readFileSync(`/proc/${pid.trim()}/stat`, 'utf8'))![1]).join('');
}

describe('pause', () => {
  test('stops every process, those that fork all the while too, and unpause lets them run on', async () => {
    const name = await detached('while :; do (true); (true) & done');
    await bed.box.ok(['pause', name]);
    expect(await states(name)).toMatch(/^[TZ]+$/);
    expect(await bed.box.inspect(name, '{{.State.Status}} {{.State.Running}} {{.State.Paused}}')).toBe(
      'paused true true',
    );
    expect(await bed.box.ok(['ps', '--filter', 'status=paused', '--format', '{{.Names}} {{.Status}}'])).toMatch(
      new RegExp(`^${name} Up .* \\(Paused\\)$`),
    );
    expect((await bed.box.trun(['exec', name, 'true'])).stderr).toContain(
      'is paused, unpause the container before exec',
    );
    expect((await bed.box.trun(['rm', name])).stderr).toContain('container is paused and must be unpaused first');
    expect(await bed.box.trun(['pause', name])).toMatchObject({ status: 1 });
    await killAgents();
    await bed.box.ok(['unpause', name]);
    expect(await bed.box.inspect(name, '{{.State.Status}}')).toBe('running');
    expect(await bed.box.trun(['unpause', name])).toMatchObject({ status: 1 });
    await bed.box.ok(['exec', name, 'true']);
  });

  test('stop of a paused container lets it end as it wants', async () => {
    const name = await detached('trap "echo bye; exit 4" TERM; echo up; while :; do sleep 0.1; done');
    await waitFor('the trap', async () => (await bed.box.ok(['logs', name])) === 'up');
    await bed.box.ok(['pause', name]);
    await bed.box.ok(['stop', name]);
    expect(await bed.box.inspect(name, '{{.State.Status}} {{.State.ExitCode}} {{.State.Paused}}')).toBe(
      'exited 4 false',
    );
  });

  test('what does not run cannot be paused', async () => {
    const name = await detached('exit 0');
    await bed.box.ok(['wait', name]);
    expect((await bed.box.trun(['pause', name])).stderr).toContain('is not running');
  });
});

describe('a health check', () => {
  function health(name: string): Promise<string> {
    return bed.box.inspect(name, '{{.State.Health.Status}}');
  }

  test('makes a container unhealthy, and healthy again; its agent may be killed', async () => {
    const name = await detached(
      forever,
      '--health-cmd',
      'echo probed; test -e /ok',
      '--health-interval',
      '100ms',
      '--health-retries',
      '2',
    );
    await waitFor('unhealthy', async () => (await health(name)) === 'unhealthy');
    expect(await bed.box.ok(['ps', '--filter', 'health=unhealthy', '--format', '{{.Names}} {{.Status}}'])).toMatch(
      / \(unhealthy\)$/,
    );
    expect(await bed.box.inspect(name, '{{with index .State.Health.Log 0}}{{.ExitCode}} {{.Output}}{{end}}')).toBe(
      '1 probed\n',
    );
    await bed.box.ok(['exec', name, 'touch', '/ok']);
    await waitFor('healthy', async () => (await health(name)) === 'healthy');
    await killAgents();
    await bed.box.ok(['exec', name, 'rm', '/ok']);
    await waitFor('unhealthy again', async () => (await health(name)) === 'unhealthy');
    const events = await bed.box.ok([
      'events',
      '--since',
      '1h',
      '--until',
      '0s',
      '-f',
      `container=${name}`,
      '-f',
      'event=health_status',
      '--format',
      '{{.Action}}',
    ]);
    expect(events.split('\n')).toEqual([
      'health_status: unhealthy',
      'health_status: healthy',
      'health_status: unhealthy',
    ]);
  });

  test('that takes too long is killed and counts as a failure', async () => {
    const name = await detached(
      forever,
      '--health-cmd',
      'exec sleep 1000',
      '--health-interval',
      '100ms',
      '--health-timeout',
      '200ms',
      '--health-retries',
      '1',
    );
    await waitFor('unhealthy', async () => (await health(name)) === 'unhealthy');
    expect(
      await bed.box.inspect(name, '{{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}'),
    ).toMatch(/^-1 Health check exceeded timeout \(0\.2s\)/);
    await bed.box.ok(['update', '--restart', 'no', name]);
    const left = (await bed.box.ok(['top', name])).split('\n').filter((line) => line.includes('sleep 1000'));
    expect(left.length).toBeLessThanOrEqual(1);
  });

  test('is none with --no-healthcheck, and starts as starting', async () => {
    const name = await detached(forever, '--health-cmd', 'true', '--health-interval', '1h');
    expect(await health(name)).toBe('starting');
    const none = await detached(forever, '--no-healthcheck');
    expect(await bed.box.inspect(none, '{{json .State.Health}}')).toBe('null');
  });
});

describe('events', () => {
  test('are streamed as they happen, whichever agent lives, and filtered', async () => {
    const stream = bed.box.start([
      'events',
      '--since',
      '1h',
      '--filter',
      'label=watched',
      '--format',
      '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}',
    ]);
    const started = Date.now();
    const name = await detached('exit 5', '--label', 'watched=yes');
    await bed.box.ok(['wait', name]);
    await detached('exit 0');
    await killAgents();
    await bed.box.ok(['rename', name, 'renamed']);
    await bed.box.ok(['rm', 'renamed']);
    await stream.printed('destroy');
    stream.process.kill('SIGTERM');
    await stream.result;
    const { stdout } = await stream.result;
    expect(stdout.trim().split('\n')).toEqual([
      `container create ${name}`,
      `container start ${name}`,
      `container die ${name}`,
      'container rename renamed',
      'container destroy renamed',
    ]);
    const past = await bed.box.ok([
      'events',
      '--since',
      String(started / 1000),
      '--until',
      '0s',
      '-f',
      'event=die',
      '-f',
      'label=watched',
      '--format',
      'json',
    ]);
    expect(JSON.parse(past)).toMatchObject({
      status: 'die',
      from: 'host',
      Type: 'container',
      Actor: { Attributes: { exitCode: '5', image: 'host', name, watched: 'yes' } },
      scope: 'local',
    });
  });
});

describe('stats', () => {
  test('shows who works and who sleeps', async () => {
    const busy = await detached('while :; do :; done');
    const idle = await detached(forever);
    const table = await bed.box.ok(['stats', '--no-stream']);
    expect(table.split('\n')[0]).toMatch(
      /^CONTAINER ID {3}NAME +CPU % +MEM USAGE \/ LIMIT +MEM % +NET I\/O +BLOCK I\/O +PIDS$/,
    );
    const rows = (await bed.box.ok(['stats', '--no-stream', '--format', 'json', busy, idle]))
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    const [first, second] = rows as [Record<string, string>, Record<string, string>];
    expect(parseFloat(first['CPUPerc']!)).toBeGreaterThan(parseFloat(second['CPUPerc']!));
    expect(first['MemUsage']).toMatch(/^[\d.]+[KM]iB \/ [\d.]+GiB$/);
    expect(first['PIDs']).toBe('1');
  });

  test('streams', async () => {
    const name = await detached(forever);
    const stream = bed.box.start(['stats', '--format', '{{.Name}}', name]);
    await waitFor('two looks', () => stream.stdout.split(name).length > 2);
    stream.process.kill('SIGTERM');
    await stream.result;
  });
});

describe('wait', () => {
  test('--condition next-exit and removed', async () => {
    const name = await detached('exit 0');
    await bed.box.ok(['wait', name]);
    const next = bed.box.start(['wait', '--condition', 'next-exit', name]);
    const removed = bed.box.start(['wait', '--condition=removed', name]);
    await waitFor('both to ask', () => bed.box.servers('agent').length === 1);
    await bed.box.ok(['restart', name]);
    await bed.box.ok(['wait', name]);
    // Either end will do: a wait that came late sees the one after.
    await bed.box.ok(['restart', name]);
    expect(await next.result).toMatchObject({ status: 0, stdout: '0\n' });
    await bed.box.ok(['rm', '-f', name]);
    expect(await removed.result).toMatchObject({ status: 0, stdout: '0\n' });
    expect(await bed.box.trun(['wait', '--condition=never', name])).toMatchObject({ status: 125 });
  });
});

describe('container prune', () => {
  test('removes what has stopped and passes the filter, and tells how much room there is now', async () => {
    const running = await detached(forever);
    const kept = await detached('exit 0', '--label', 'keep=1');
    const big = await detached('head -c 300000 /dev/urandom >/big');
    await bed.box.ok(['wait', kept, big]);
    const id = await bed.box.inspect(big, '{{.Id}}');
    const asked = await bed.box.trun('container prune', { input: 'n\n' });
    expect(asked.stdout).toContain('WARNING! This will remove all stopped containers.');
    expect(await bed.box.inspect(big, '{{.State.Status}}')).toBe('exited');
    const pruned = await bed.box.ok(['container', 'prune', '-f', '--filter', 'label!=keep']);
    expect(pruned).toContain(`Deleted Containers:\n${id}\n`);
    expect(pruned).toMatch(/Total reclaimed space: 3\d\dkB$/);
    const left = (await bed.box.ok(['ps', '-a', '--format', '{{.Names}}'])).split('\n');
    expect(left).toContain(running);
    expect(left).toContain(kept);
    expect(left).not.toContain(big);
  });
});

test('system prune removes stopped containers and unused networks, and leaves what is in use', async () => {
  const running = await detached(forever);
  const stopped = await detached('exit 0');
  await bed.box.ok(['wait', stopped]);
  await bed.box.ok('network create lonely');
  const id = await bed.box.inspect(stopped, '{{.Id}}');
  const pruned = await bed.box.ok('system prune -f');
  expect(pruned).toContain(`Deleted Containers:\n${id}\n`);
  expect(pruned).toContain('Deleted Networks:\nlonely\n');
  expect(pruned).toMatch(/Total reclaimed space: \S+$/);
  expect(await bed.box.inspect(running, '{{.State.Status}}')).toBe('running');
});
