/**
 * Restart policies: how often, when not, whoever is killed meanwhile; and what comes back with the machine.
 *
 * Runs as: user, root, nosub
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isAlive, killProcessesOf } from '../helpers/processes.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { waitFor } from '../helpers/wait-for.ts';

const bed = useSandbox();
let count = 0;

async function detached(script: string, ...options: readonly string[]): Promise<string> {
  const name = `again-${count++}`;
  onTestFinished(async () => {
    await bed.box.trun(['rm', '-f', name]);
  });
  await bed.box.ok(['run', '-d', '--name', name, ...options, 'host', 'sh', '-c', script]);
  return name;
}

async function restarts(name: string): Promise<number> {
  return Number(await bed.box.inspect(name, '{{.RestartCount}}'));
}

async function reaches(name: string, least: number): Promise<void> {
  await waitFor(`${least} restarts`, async () => (await restarts(name)) >= least);
}

/** Holder and keepers are the same program under other names. */
async function noMonitors(): Promise<void> {
  await waitFor('all monitors to go', () => bed.box.processes().every(({ pid }) => nameOf(pid) !== 'trun-monitor'));
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return '';
  }
}

async function killAgents(): Promise<void> {
  const pids = bed.box.servers('agent').map(({ pid }) => pid);
  expect(pids).not.toHaveLength(0);
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await waitFor('the agent to be gone', () => !pids.some(isAlive));
}

describe('a policy', () => {
  test('on-failure:2 restarts twice, and wait waits for the last', async () => {
    const name = await detached('echo run; exit 3', '--restart', 'on-failure:2');
    expect(await bed.box.ok(['wait', name])).toBe('3');
    expect(await bed.box.ok(['logs', name])).toBe('run\nrun\nrun');
    expect(await bed.box.inspect(name, '{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}')).toBe('exited 3 2');
    expect(await bed.box.inspect(name, '{{json .HostConfig.RestartPolicy}}')).toBe(
      '{"Name":"on-failure","MaximumRetryCount":2}',
    );
  });

  test('on-failure leaves a success alone', async () => {
    const name = await detached('exit 0', '--restart', 'on-failure');
    expect(await bed.box.ok(['wait', name])).toBe('0');
    expect(await restarts(name)).toBe(0);
  });

  test('a start by hand begins the count anew', async () => {
    const name = await detached('exit 3', '--restart', 'on-failure:1');
    await bed.box.ok(['wait', name]);
    await bed.box.ok(['start', name]);
    await bed.box.ok(['wait', name]);
    expect(await restarts(name)).toBe(1);
    expect(
      (
        await bed.box.ok([
          'events',
          '--since',
          '1h',
          '--until',
          '0s',
          '--filter',
          `container=${name}`,
          '--filter',
          'event=start',
        ])
      ).split('\n'),
    ).toHaveLength(4);
  });

  test('always goes on until stop, which ends the wait for the next start, too', async () => {
    const name = await detached('exit 0', '--restart', 'always');
    // The waits grow: by the fifth they are long enough to be seen.
    await reaches(name, 5);
    await bed.box.becomes(name, 'restarting');
    expect(await bed.box.ok(['ps', '--filter', `name=${name}`, '--format', '{{.State}} {{.Status}}'])).toMatch(
      /^restarting Restarting \(0\) /,
    );
    expect((await bed.box.trun(['rm', name])).stderr).toMatch(/container is (restarting|running): stop the container/);
    const waiting = bed.box.start(['wait', name]);
    await bed.box.ok(['stop', name]);
    expect(await waiting.result).toMatchObject({ status: 0, stdout: '0\n' });
    expect(await bed.box.inspect(name, '{{.State.Status}}')).toBe('exited');
    await noMonitors();
  });

  test('what is stopped or killed while it runs stays down', async () => {
    for (const verb of ['stop', 'kill']) {
      const name = await detached('trap "exit 0" TERM; while :; do sleep 0.1; done', '--restart', 'always');
      await bed.box.ok([verb, name]);
      await bed.box.ok(['wait', name]);
      expect(await bed.box.inspect(name, '{{.State.Status}} {{.RestartCount}}')).toBe('exited 0');
    }
  });

  test('update takes and gives it', async () => {
    const name = await detached('until test -e /go; do sleep 0.05; done; exit 1');
    await bed.box.ok(['update', '--restart', 'on-failure', name]);
    await bed.box.ok(['exec', name, 'touch', '/go']);
    await reaches(name, 1);
    await bed.box.ok(['update', '--restart', 'no', name]);
    await bed.box.ok(['wait', name]);
    const before = await restarts(name);
    expect(await bed.box.inspect(name, '{{.State.Status}}')).toBe('exited');
    expect(await restarts(name)).toBe(before);
  });

  test('in the foreground, the first end is the end of the command', async () => {
    onTestFinished(async () => {
      await bed.box.trun('rm -f fore');
    });
    const result = await bed.box.trun(['run', '--name', 'fore', '--restart', 'always', 'host', 'sh', '-c', 'exit 7']);
    expect(result.status).toBe(7);
  });
});

describe('kill -9 of the agent', () => {
  test('while a container waits for its restart: its monitor starts the next agent', async () => {
    const name = await detached('exit 1', '--restart', 'always');
    await reaches(name, 5);
    await bed.box.becomes(name, 'restarting');
    const before = await restarts(name);
    await killAgents();
    // No command is given that would start an agent: ps and inspect only read.
    await waitFor('the next restart', async () => (await restarts(name)) > before, { timeout: 30_000 });
    await bed.box.ok(['rm', '-f', name]);
    await noMonitors();
  });

  test('at any moment: the restarts go on, and no process is left', async () => {
    const name = await detached('exit 1', '--restart', 'on-failure');
    for (let round = 0; round < 4; round++) {
      const before = await restarts(name);
      await killAgents();
      await waitFor('the next restart', async () => (await restarts(name)) > before, { timeout: 30_000 });
    }
    await bed.box.ok(['rm', '-f', name]);
    await noMonitors();
  });
});

describe('system boot', () => {
  test('starts what the policy wants, and nothing else', async () => {
    const script = 'while :; do sleep 0.1; done';
    const always = await detached(script, '--restart', 'always');
    const unless = await detached(script, '--restart', 'unless-stopped');
    const none = await detached(script);
    const alive = await detached(script, '--restart', 'unless-stopped');
    await bed.box.ok(['kill', always, unless, none]);
    await bed.box.ok(['wait', always, unless, none]);
    // The machine goes down: nobody of trun's is there to see it.
    await killProcessesOf(bed.box.folder);
    const { stdout } = await bed.box.trun('system boot');
    await bed.box.becomes(always, 'running');
    await bed.box.becomes(alive, 'running');
    expect(stdout.split('\n')).toContain(always);
    expect(await bed.box.inspect(unless, '{{.State.Status}}')).toBe('exited');
    expect(await bed.box.inspect(none, '{{.State.Status}}')).toBe('exited');
  });

  test('enable-boot installs a unit of systemd, or a line of the crontab; disable-boot takes it away', async () => {
    const bin = join(bed.box.folder, 'fake-bin');
    mkdirSync(bin);
    const path = `${bin}:${process.env['PATH']}`;
    const options = { env: { PATH: path, XDG_CONFIG_HOME: join(bed.box.folder, 'config') } };
    function fake(name: string, script: string): void {
      writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
      chmodSync(join(bin, name), 0o755);
    }
    const table = join(bed.box.folder, 'crontab');
    const calls = join(bed.box.folder, 'calls');
    fake('systemctl', 'exit 1');
    fake(
      'crontab',
      `if [ "$1" = -l ]; then cat ${table} 2>/dev/null || { echo "no crontab for me" >&2; exit 1; }; else cat >${table}; fi`,
    );
    writeFileSync(table, '0 5 * * * other\n');
    await bed.box.ok('system enable-boot', options);
    await bed.box.ok('system enable-boot', options);
    const lines = readFileSync(table, 'utf8').split('\n');
    expect(lines[0]).toBe('0 5 * * * other');
    expect(lines[1]).toMatch(/^@reboot '\/.*\/bin\/trun' '--root' '.*' 'system' 'boot' # trun/);
    expect(lines).toHaveLength(3);
    await bed.box.ok('system disable-boot', options);
    expect(readFileSync(table, 'utf8')).toBe('0 5 * * * other\n');

    fake('systemctl', `echo "$@" >>${calls}`);
    await bed.box.ok('system enable-boot', options);
    const unit = join(bed.box.folder, 'config/systemd/user/trun-boot.service');
    expect(readFileSync(unit, 'utf8')).toMatch(/^ExecStart="\/.*\/bin\/trun" "--root" ".*" "system" "boot"$/m);
    expect(readFileSync(calls, 'utf8')).toContain('--user enable trun-boot.service');
    await bed.box.ok('system disable-boot', options);
    expect(existsSync(unit)).toBe(false);

    fake('systemctl', 'exit 1');
    fake('crontab', 'echo not allowed >&2; exit 1');
    expect(await bed.box.trun('system enable-boot', options)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('neither a systemd of yours nor crontab is to be had here') as string,
    });
  });
});
