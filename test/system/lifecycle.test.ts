/**
 * A container's life after `run -d`: ps, logs, stop, kill, start, restart, rm, wait, rename, cp, top, inspect.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { run } from '../helpers/command.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ images: ['busybox'] });
let count = 0;

/** Starts a container of a shell script in the background, removes it after the test, and returns its name. */
async function detached(script: string, ...options: readonly string[]): Promise<string> {
  const name = `box-${count++}`;
  onTestFinished(async () => {
    await bed.box.trun(['rm', '-f', name]);
  });
  await bed.box.ok(['run', '-d', '--name', name, ...options, bed.image('busybox'), 'sh', '-c', script]);
  return name;
}

const forever = 'while :; do sleep 0.1; done';

describe('ps', () => {
  test('lists running containers; -a all; -q ids', async () => {
    const name = await detached(forever);
    const ended = await detached('exit 3');
    await bed.box.ok(['wait', ended]);
    const [header, ...rows] = (await bed.box.ok('ps')).split('\n');
    expect(header).toMatch(/^CONTAINER ID\s+IMAGE\s+COMMAND\s+CREATED\s+STATUS\s+PORTS\s+NAMES$/);
    const row = rows.find((line) => line.endsWith(name))!;
    expect(row).toMatch(/^[0-9a-f]{12}\s+localhost:\d+\/library\/busybox:latest\s+"sh -c /);
    expect(row).toMatch(/\sUp (\d+ seconds?|Less than a second)\s/);
    expect(rows.some((line) => line.endsWith(ended))).toBe(false);
    const all = await bed.box.ok('ps -a');
    expect(all.split('\n').find((line) => line.endsWith(ended))).toMatch(/\sExited \(3\) .* ago\s/);
    expect(await bed.box.ok('ps -q')).toMatch(/^[0-9a-f]{12}$/m);
  });

  test('--format', async () => {
    const name = await detached(forever, '--label', 'k=v');
    const rows = await bed.box.ok(['ps', '--format', '{{.Names}}\t{{.State}}\t{{.Image}}']);
    expect(rows.split('\n')).toContain(`${name}\trunning\t${bed.image('busybox')}`);
    const json = (await bed.box.ok(['ps', '--format', '{{json .}}']))
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(json).toContainEqual(expect.objectContaining({ Names: name, State: 'running' }));
  });

  test('--size is what a container has written, whichever of its users has, and that with its image', async () => {
    const name = await detached(
      `mkdir /hidden && head -c 5000000 /dev/zero >/hidden/f && ln /hidden/f /hidden/g
      chown -R 1000:1000 /hidden && chmod 0700 /hidden && touch /ready; ${forever}`,
    );
    await bed.box.ok(['exec', name, 'sh', '-c', 'until [ -e /ready ]; do sleep 0.05; done']);
    const rows = (await bed.box.ok('ps -s')).split('\n');
    expect(rows[0]).toMatch(/NAMES +SIZE$/);
    expect(rows.find((line) => line.includes(` ${name} `))).toMatch(/ 5MB \(virtual [\d.]+MB\)$/);
    const image = await bed.box.ok(['images', '--format', '{{.Size}}', bed.image('busybox')]);
    const [, virtual] = /virtual ([\d.]+)MB/.exec(rows.find((line) => line.includes(` ${name} `))!)!;
    expect(Number(virtual)).toBeCloseTo(5 + Number.parseFloat(image), 1);
    const sizes = (await bed.box.ok(['ps', '--format', '{{.Names}} {{.Size}}'])).split('\n');
    expect(sizes.find((line) => line.startsWith(`${name} `))).toMatch(/ 5MB \(virtual/);
  });

  test('a container is found by its name, its id and a prefix of it', async () => {
    const name = await detached(forever);
    const id = await bed.box.inspect(name, '{{.Id}}');
    for (const each of [id, id.slice(0, 12), id.slice(0, 6)])
      expect(await bed.box.inspect(each, '{{.Name}}')).toBe(`/${name}`);
  });
});

describe('logs', () => {
  test('keeps both streams apart', async () => {
    const name = await detached('echo out; echo err >&2');
    await bed.box.ok(['wait', name]);
    expect(await bed.box.trun(['logs', name])).toMatchObject({ status: 0, stdout: 'out\n', stderr: 'err\n' });
  });

  test('-f follows to the end', async () => {
    const name = await detached('for i in 1 2 3 4 5; do echo line $i; sleep 0.3; done');
    const following = bed.box.start(['logs', '-f', name]);
    await following.printed('line 2');
    expect(following.process.exitCode).toBe(null);
    expect(await following.result).toMatchObject({ status: 0, stdout: 'line 1\nline 2\nline 3\nline 4\nline 5\n' });
  });

  test('--tail, -t, --since', async () => {
    const name = await detached('echo one; echo two; sleep 2; echo three');
    await bed.box.ok(['wait', name]);
    expect(await bed.box.ok(['logs', '--tail', '2', name])).toBe('two\nthree');
    expect(await bed.box.ok(['logs', '--tail', '0', name])).toBe('');
    expect(await bed.box.ok(['logs', '--tail', 'all', name])).toBe('one\ntwo\nthree');
    const stamped = await bed.box.ok(['logs', '-t', name]);
    const stamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z/;
    for (const line of stamped.split('\n')) expect(line).toMatch(stamp);
    const last = stamped.split('\n')[2]!.split(' ')[0]!;
    expect(await bed.box.ok(['logs', '--since', last, name])).toBe('three');
    expect(await bed.box.ok(['logs', '--since', '10m', name])).toBe('one\ntwo\nthree');
  });

  test('holds long lines, empty lines and a last line without its end', async () => {
    const name = await detached(`head -c 100000 /dev/zero | tr '\\0' x; echo; echo; printf end`);
    await bed.box.ok(['wait', name]);
    const { stdout } = await bed.box.trun(['logs', name]);
    expect(stdout).toBe(`${'x'.repeat(100_000)}\n\nend`);
  });

  test('holds a lot', async () => {
    const name = await detached('i=0; while [ $i -lt 50000 ]; do echo $i; i=$((i+1)); done');
    await bed.box.ok(['wait', name]);
    const lines = (await bed.box.ok(['logs', name])).split('\n');
    expect(lines).toHaveLength(50_000);
    expect(lines.every((line, index) => line === String(index))).toBe(true);
  });

  test('of an unknown container is an error', async () => {
    const { status, stderr } = await bed.box.trun('logs no-such-box');
    expect(status).toBe(1);
    expect(stderr).toMatch(/no such container: no-such-box/i);
  });
});

describe('stop and kill', () => {
  test('stop sends TERM and prints the name', async () => {
    const name = await detached(`trap 'echo bye; exit 4' TERM; echo up; ${forever}`);
    await bed.box.ok(['exec', name, 'true']);
    expect(await bed.box.ok(['stop', name])).toBe(name);
    expect(await bed.box.inspect(name, '{{.State.Status}} {{.State.ExitCode}}')).toBe('exited 4');
    expect(await bed.box.ok(['logs', name])).toBe('up\nbye');
  });

  test('stop kills after -t seconds', async () => {
    const name = await detached(`trap '' TERM; ${forever}`);
    const { milliseconds } = await bed.box.trun(['stop', '-t', '1', name]);
    expect(milliseconds).toBeGreaterThan(900);
    expect(milliseconds).toBeLessThan(6000);
    expect(await bed.box.inspect(name, '{{.State.ExitCode}}')).toBe('137');
  });

  test('stop kills after 10 seconds by itself', async () => {
    const name = await detached(`trap '' TERM; ${forever}`);
    const { milliseconds } = await bed.box.trun(['stop', name]);
    expect(milliseconds).toBeGreaterThan(9500);
    expect(milliseconds).toBeLessThan(14_000);
  });

  test('stop of a stopped container is fine, of an unknown one is not', async () => {
    const name = await detached('true');
    await bed.box.ok(['wait', name]);
    expect(await bed.box.ok(['stop', name])).toBe(name);
    expect((await bed.box.trun('stop no-such-box')).status).toBe(1);
  });

  test('kill', async () => {
    const name = await detached(forever);
    expect(await bed.box.ok(['kill', name])).toBe(name);
    expect(await bed.box.ok(['wait', name])).toBe('137');
    const again = await bed.box.trun(['kill', name]);
    expect(again.status).toBe(1);
    expect(again.stderr).toMatch(/is not running/);
  });

  test.each([
    ['-s', 'USR1'],
    ['-s', 'SIGUSR1'],
    ['--signal', '10'],
  ])('kill %s %s', async (flag, signal) => {
    const name = await detached(`trap 'exit 6' USR1; touch /up; ${forever}`);
    await bed.box.ok(['exec', name, 'sh', '-c', 'until [ -e /up ]; do sleep 0.05; done']);
    await bed.box.ok(['kill', flag, signal, name]);
    expect(await bed.box.ok(['wait', name])).toBe('6');
  });
});

describe('start and restart', () => {
  test('start goes on from the writable layer', async () => {
    const name = await detached('echo x >>/count; wc -l </count');
    await bed.box.ok(['wait', name]);
    expect(await bed.box.ok(['start', name])).toBe(name);
    expect(await bed.box.ok(['wait', name])).toBe('0');
    expect(await bed.box.ok(['logs', name])).toBe('1\n2');
  });

  test('start keeps id, options and environment', async () => {
    const name = await detached('echo $A $HOSTNAME', '-e', 'A=kept', '--hostname', 'same');
    await bed.box.ok(['wait', name]);
    const id = await bed.box.inspect(name, '{{.Id}}');
    await bed.box.ok(['start', name]);
    await bed.box.ok(['wait', name]);
    expect(await bed.box.inspect(name, '{{.Id}}')).toBe(id);
    expect(await bed.box.ok(['logs', name])).toBe('kept same\nkept same');
  });

  test('start of a running container is fine', async () => {
    const name = await detached(forever);
    const pid = await bed.box.inspect(name, '{{.State.Pid}}');
    expect(await bed.box.ok(['start', name])).toBe(name);
    expect(await bed.box.inspect(name, '{{.State.Pid}}')).toBe(pid);
  });

  test('restart', async () => {
    const name = await detached(`echo started; trap 'exit 0' TERM; ${forever}`);
    const pid = await bed.box.inspect(name, '{{.State.Pid}}');
    expect(await bed.box.ok(['restart', '-t', '2', name])).toBe(name);
    expect(await bed.box.inspect(name, '{{.State.Status}}')).toBe('running');
    expect(await bed.box.inspect(name, '{{.State.Pid}}')).not.toBe(pid);
  });
});

describe('rm', () => {
  test('refuses a running container, -f takes it', async () => {
    const name = await detached(forever);
    const { status, stderr } = await bed.box.trun(['rm', name]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/running/);
    expect(await bed.box.ok(['rm', '-f', name])).toBe(name);
    expect(await bed.box.ok('ps -a --format {{.Names}}')).not.toContain(name);
  });

  test('takes several, goes on after an unknown one, and tells it', async () => {
    const [a, b] = [await detached('true'), await detached('true')];
    await bed.box.ok(['wait', a, b]);
    const { status, stdout, stderr } = await bed.box.trun(['rm', a, 'no-such-box', b]);
    expect(status).toBe(1);
    expect(stdout).toBe(`${a}\n${b}\n`);
    expect(stderr).toMatch(/no such container: no-such-box/i);
  });
});

describe('wait', () => {
  test('prints the exit codes, as they come', async () => {
    const first = await detached('sleep 0.5; exit 8');
    const second = await detached('exit 9');
    expect(await bed.box.ok(['wait', first, second])).toBe('8\n9');
  });
});

describe('rename', () => {
  test('gives another name, unless it is taken', async () => {
    const name = await detached(forever);
    await bed.box.ok(['rename', name, `${name}-new`]);
    expect(await bed.box.inspect(`${name}-new`, '{{.State.Status}}')).toBe('running');
    const other = await detached(forever);
    expect((await bed.box.trun(['rename', other, `${name}-new`])).status).toBe(1);
    expect((await bed.box.trun(['rename', other, 'not a name'])).status).toBe(1);
    await bed.box.ok(['rm', '-f', `${name}-new`]);
  });
});

describe('top', () => {
  test("lists the container's processes with the host's ids", async () => {
    const name = await detached('sleep 1000 & exec sleep 2000');
    const [header, ...rows] = (await bed.box.ok(['top', name])).split('\n');
    expect(header).toMatch(/UID\s+PID\s+PPID\s+.*(CMD|COMMAND)$/);
    expect(rows.some((row) => row.endsWith('sleep 1000'))).toBe(true);
    const main = rows.find((row) => row.endsWith('sleep 2000'))!;
    expect(main.split(/\s+/)).toContain(await bed.box.inspect(name, '{{.State.Pid}}'));
  });

  test('of a stopped container is an error', async () => {
    const name = await detached('true');
    await bed.box.ok(['wait', name]);
    expect((await bed.box.trun(['top', name])).status).toBe(1);
  });
});

describe('cp', () => {
  test.each(['running', 'stopped'])('copies files and folders both ways, %s', async (state) => {
    const name = await detached(
      state === 'running' ? `mkdir /d; echo in >/d/f; ${forever}` : 'mkdir /d; echo in >/d/f',
    );
    if (state === 'stopped') await bed.box.ok(['wait', name]);
    else await bed.box.ok(['exec', name, 'sh', '-c', 'until [ -e /d/f ]; do sleep 0.05; done']);
    const folder = join(bed.box.folder, `cp-${state}`);
    mkdirSync(join(folder, 'from/sub'), { recursive: true });
    writeFileSync(join(folder, 'from/sub/f'), 'to the container\n');

    await bed.box.ok(['cp', `${name}:/d/f`, join(folder, 'f')]);
    expect(readFileSync(join(folder, 'f'), 'utf8')).toBe('in\n');
    await bed.box.ok(['cp', `${name}:/d`, join(folder, 'copied')]);
    expect(readFileSync(join(folder, 'copied/f'), 'utf8')).toBe('in\n');
    await bed.box.ok(['cp', join(folder, 'from'), `${name}:/from`]);
    await bed.box.ok(['cp', join(folder, 'f'), `${name}:/d/`]);
    await bed.box.ok(['cp', `${name}:/from/sub/f`, join(folder, 'back')]);
    expect(readFileSync(join(folder, 'back'), 'utf8')).toBe('to the container\n');
  });

  test('- is a tar stream', async () => {
    const name = await detached(`echo in >/f; ${forever}`);
    await bed.box.ok(['exec', name, 'sh', '-c', 'until [ -e /f ]; do sleep 0.05; done']);
    const tar = join(bed.box.folder, 'stream.tar');
    const words = ['-c', `"$0" cp ${name}:/f - >${tar} && tar -tf ${tar} && "$0" cp - ${name}:/tmp <${tar}`];
    const result = await run('sh', [...words, join(import.meta.dirname, '../../bin/trun')], { env: bed.box.env });
    expect(result).toMatchObject({ status: 0, stdout: 'f\n' });
    expect(await bed.box.ok(['exec', name, 'cat', '/tmp/f'])).toBe('in');
  });

  test('a link in the container does not lead out of it', async () => {
    const target = join(bed.box.folder, 'host-file');
    writeFileSync(target, 'host\n');
    const name = await detached(`ln -s ${target} /link; ln -s / /up; ln -s ../../../../.. /far; ${forever}`);
    await bed.box.ok(['exec', name, 'sh', '-c', 'until [ -L /far ]; do sleep 0.05; done']);
    await bed.box.trun(['cp', join(import.meta.dirname, '../run'), `${name}:/link`]);
    expect(readFileSync(target, 'utf8')).toBe('host\n');
    await bed.box.trun(['cp', join(import.meta.dirname, '../run'), `${name}:/far${bed.box.folder}/planted`]);
    expect(existsSync(join(bed.box.folder, 'planted'))).toBe(false);
    const stolen = join(bed.box.folder, 'stolen');
    await bed.box.trun(['cp', '-L', `${name}:/link`, stolen]);
    expect(existsSync(stolen) && readFileSync(stolen, 'utf8') === 'host\n').toBe(false);
  });

  test('what is not there is an error', async () => {
    const name = await detached(forever);
    expect((await bed.box.trun(['cp', `${name}:/no/such`, bed.box.folder])).status).toBe(1);
    expect((await bed.box.trun(['cp', '/no/such', `${name}:/`])).status).toBe(1);
    expect((await bed.box.trun(['cp', 'no-such-box:/f', bed.box.folder])).status).toBe(1);
  });
});

describe('inspect', () => {
  test("prints Docker's fields", async () => {
    const name = await detached('exit 3', '-e', 'A=b', '-w', '/tmp', '--label', 'l=m');
    await bed.box.ok(['wait', name]);
    const [box] = JSON.parse(await bed.box.ok(['inspect', name])) as Record<string, unknown>[];
    const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
    expect(box).toMatchObject({
      Id: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      Created: expect.stringMatching(time) as string,
      Path: 'sh',
      Args: ['-c', 'exit 3'],
      State: {
        Status: 'exited',
        Running: false,
        OOMKilled: false,
        Pid: 0,
        ExitCode: 3,
        StartedAt: expect.stringMatching(time) as string,
        FinishedAt: expect.stringMatching(time) as string,
      },
      Image: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string,
      Name: `/${name}`,
      Config: { Env: expect.arrayContaining(['A=b']) as string[], WorkingDir: '/tmp', Labels: { l: 'm' }, Tty: false },
      HostConfig: expect.any(Object) as object,
      Mounts: [],
      NetworkSettings: expect.any(Object) as object,
    });
  });

  test('a running container has a process', async () => {
    const name = await detached(forever);
    const pid = Number(await bed.box.inspect(name, '{{.State.Pid}}'));
    expect(readFileSync(`/proc/${pid}/cmdline`, 'utf8')).toContain('while :');
    await sleep(10);
  });
});
