/**
 * `trun run`: output, exit codes, standard input, environment, command line.
 *
 * Runs as: user, nosub
 */
import { createHash, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ images: ['busybox', 'features'] });

/** `trun run --rm OPTIONS busybox COMMAND`, which has to succeed. */
function busybox(options: readonly string[], ...command: readonly string[]): Promise<string> {
  return bed.box.ok(['run', '--rm', ...options, bed.image('busybox'), ...command]);
}

async function statusOf(...command: readonly string[]): Promise<number> {
  return (await bed.box.trun(['run', '--rm', bed.image('busybox'), ...command])).status;
}

describe('output', () => {
  test('prints what the command prints', async () => {
    expect(await busybox([], 'echo', 'hello')).toBe('hello');
  });

  test('keeps standard output and standard error apart', async () => {
    const result = await bed.box.trun(['run', '--rm', bed.image('busybox'), 'sh', '-c', 'echo out; echo err >&2']);
    expect(result).toMatchObject({ status: 0, stdout: 'out\n', stderr: 'err\n' });
  });

  test('hands over every byte of a large output', async () => {
    const script = 'yes 0123456789abcdef | head -c 20000000 | tee /dev/stderr | sha256sum >/tmp/sum; cat /tmp/sum >&2';
    const { stdout, stderr } = await bed.box.trun(['run', '--rm', bed.image('busybox'), 'sh', '-c', script]);
    expect(stdout).toBe('');
    const sum = createHash('sha256').update(stderr.slice(0, 20_000_000)).digest('hex');
    expect(stderr.slice(20_000_000)).toBe(`${sum}  -\n`);
  });

  test('prints what has no newline at its end, and nothing more', async () => {
    expect((await bed.box.trun(['run', '--rm', bed.image('busybox'), 'printf', 'no newline'])).stdout).toBe(
      'no newline',
    );
  });
});

describe('exit codes', () => {
  test('are those of the command', async () => {
    expect(await statusOf('true')).toBe(0);
    expect(await statusOf('sh', '-c', 'exit 3')).toBe(3);
    expect(await statusOf('sh', '-c', 'exit 255')).toBe(255);
  });

  test('127: the command is not there', async () => {
    const result = await bed.box.trun(['run', '--rm', bed.image('busybox'), 'no-such-command']);
    expect(result.status).toBe(127);
    expect(result.stderr).toMatch(/no-such-command.*(executable file not found|no such file)/i);
    expect(result.stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(await statusOf('/no/such/file')).toBe(127);
  });

  test('126: the command cannot be run', async () => {
    expect(await statusOf('/etc/passwd')).toBe(126);
    expect(await statusOf('/etc')).toBe(126);
  });

  test('125: trun itself fails', async () => {
    expect((await bed.box.trun(['run', '--no-such-flag', bed.image('busybox')])).status).toBe(125);
  });

  test('128+n: a signal ended the command', async () => {
    const running = bed.box.start(['run', '--rm', '--name', 'killed', bed.image('busybox'), 'sleep', '100']);
    await bed.box.becomes('killed', 'running');
    await bed.box.ok('kill -s KILL killed');
    expect((await running.result).status).toBe(137);
  });
});

describe('standard input', () => {
  test('-i passes it on, to its end', async () => {
    expect(await bed.box.ok(['run', '-i', '--rm', bed.image('busybox'), 'cat'], { input: 'to cat\n' })).toBe('to cat');
  });

  test('without -i it is empty', async () => {
    expect(await bed.box.ok(['run', '--rm', bed.image('busybox'), 'cat'], { input: 'unseen' })).toBe('');
  });

  test('every byte passes both ways', async () => {
    const bytes = randomBytes(5_000_000).toString('base64');
    const { stdout } = await bed.box.trun(['run', '-i', '--rm', bed.image('busybox'), 'cat'], { input: bytes });
    expect(createHash('sha256').update(stdout).digest('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
  });

  test('a command that ends before it has read everything ends the run', async () => {
    const input = 'x'.repeat(5_000_000);
    expect(await bed.box.ok(['run', '-i', '--rm', bed.image('busybox'), 'head', '-c', '3'], { input })).toBe('xxx');
  });

  test('what arrives late is passed on as it comes', async () => {
    const running = bed.box.start(['run', '-i', '--rm', bed.image('busybox'), 'cat'], { interactive: true });
    running.write('first\n');
    await running.printed('first\n');
    await sleep(200);
    running.write('second\n');
    await running.printed('second\n');
    running.end();
    expect(await running.result).toMatchObject({ status: 0, stdout: 'first\nsecond\n' });
  });
});

describe('environment', () => {
  test('-e sets and hands on', async () => {
    const options = ['-e', 'SET=a b', '-e', 'EMPTY=', '-e', 'CALLER', '-e', 'ABSENT'];
    const words = ['run', '--rm', ...options, bed.image('busybox'), 'env'];
    const lines = (await bed.box.ok(words, { env: { CALLER: 'yes' } })).split('\n');
    expect(lines).toEqual(expect.arrayContaining(['SET=a b', 'EMPTY=', 'CALLER=yes', 'HOME=/root']));
    expect(lines.some((line) => line.startsWith('ABSENT'))).toBe(false);
    expect(lines.some((line) => line.startsWith('TRUN_ROOT'))).toBe(false);
    expect(lines.find((line) => line.startsWith('PATH='))).toContain('/usr/local/bin');
    expect(lines.find((line) => line.startsWith('HOSTNAME='))).toMatch(/^HOSTNAME=[0-9a-f]{12}$/);
  });

  test('--env-file', async () => {
    const file = join(bed.box.folder, 'env');
    writeFileSync(file, '# a comment\n\nONE=1\nTWO= spaces kept \nTHREE="quotes kept"\n');
    const lines = (await busybox(['--env-file', file], 'env')).split('\n');
    expect(lines).toEqual(expect.arrayContaining(['ONE=1', 'TWO= spaces kept ', 'THREE="quotes kept"']));
  });

  test('-e wins over --env-file, and both over the image', async () => {
    const file = join(bed.box.folder, 'env2');
    writeFileSync(file, 'ONE=file\nOVERRIDDEN=file\n');
    const options = ['--env-file', file, '-e', 'ONE=flag', '--entrypoint', 'env'];
    const lines = (await bed.box.ok(['run', '--rm', '-u', '0', ...options, bed.image('features')])).split('\n');
    expect(lines).toEqual(expect.arrayContaining(['ONE=flag', 'OVERRIDDEN=file', 'FROM_IMAGE=yes']));
  });
});

describe('command line', () => {
  test('words reach the command unchanged', async () => {
    const words = ['a b', '', '"quoted"', "it's", '$HOME', '*', 'ünïcödé 名前', '-x', '--rm'];
    const script = 'for word; do echo "[$word]"; done';
    const printed = await busybox([], 'sh', '-c', script, 'sh', ...words);
    expect(printed.split('\n')).toEqual(words.map((word) => `[${word}]`));
  });

  test('flags after the image belong to the command', async () => {
    expect(await busybox([], 'echo', '--name', 'x', '-d')).toBe('--name x -d');
  });

  test('short flags may be joined, long ones take = or a word', async () => {
    const words = [
      'run',
      '-i',
      '--rm',
      '--workdir=/tmp',
      '--env',
      'A=1',
      bed.image('busybox'),
      'sh',
      '-c',
      'pwd; echo $A',
    ];
    expect(await bed.box.ok(words, { input: '' })).toBe('/tmp\n1');
  });

  test('input for a command that does not wait for it', async () => {
    for (let round = 0; round < 12; round++) {
      const result = await bed.box.trun(['run', '-i', '--rm', bed.image('busybox'), 'echo', 'done'], {
        input: 'unread\n',
      });
      expect(result).toMatchObject({ status: 0, stdout: 'done\n', stderr: '' });
    }
  });

  test('the command of the image, its entrypoint, and what replaces them', async () => {
    const features = bed.image('features');
    const asRoot = ['run', '--rm', '-u', '0'];
    expect(await bed.box.ok([...asRoot, features])).toBe('entry: default arguments');
    expect(await bed.box.ok([...asRoot, features, 'mine'])).toBe('entry: mine');
    expect(await bed.box.ok([...asRoot, '--entrypoint', 'echo', features, 'mine'])).toBe('mine');
    // Docker drops the image's Cmd together with its Entrypoint.
    expect(await bed.box.ok([...asRoot, '--entrypoint', 'echo', features])).toBe('');
    expect(await bed.box.ok([...asRoot, '--entrypoint', '', features, 'echo', 'none'])).toBe('none');
  });

  test('-w sets the working directory and makes it', async () => {
    expect(await busybox(['-w', '/made/on/the/way'], 'pwd')).toBe('/made/on/the/way');
    expect(await bed.box.ok(['run', '--rm', '-u', '0', '--entrypoint', 'pwd', bed.image('features')])).toBe('/work');
  });

  test('--hostname, and the container id without it', async () => {
    expect(await busybox(['--hostname', 'box.example'], 'hostname')).toBe('box.example');
    expect(await busybox(['--hostname', 'box'], 'grep', '-cw', 'box', '/etc/hosts')).toBe('1');
    const id = await bed.box.ok(['run', '-d', bed.image('busybox'), 'hostname']);
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    await bed.box.ok(['wait', id]);
    expect(await bed.box.ok(['logs', id])).toBe(id.slice(0, 12));
  });

  test('--name and --label show in inspect; a name is there once', async () => {
    await bed.box.ok(['run', '-d', '--name', 'named', '--label', 'a=b', '--label', 'c', bed.image('busybox'), 'true']);
    expect(await bed.box.inspect('named', '{{.Name}}')).toBe('/named');
    expect(await bed.box.inspect('named', '{{json .Config.Labels}}')).toBe('{"a":"b","c":""}');
    const again = await bed.box.trun(['run', '--name', 'named', bed.image('busybox'), 'true']);
    expect(again.status).toBe(125);
    expect(again.stderr).toMatch(/named.*already in use/);
    await bed.box.ok('rm -f named');
  });

  test('--rm leaves no container, a plain run does', async () => {
    await busybox(['--name', 'transient'], 'true');
    expect(await bed.box.ok(['ps', '-a', '--format', '{{.Names}}'])).not.toContain('transient');
    await bed.box.ok(['run', '--name', 'kept', bed.image('busybox'), 'true']);
    expect(await bed.box.ok(['ps', '-a', '--format', '{{.Names}}'])).toContain('kept');
    await bed.box.ok('rm kept');
  });

  test('--dry-run prints the plan and starts nothing', async () => {
    const before = await bed.box.ok('ps -a -q');
    const plan = await busybox(['--dry-run', '--hostname', 'planned'], 'echo', 'unprinted');
    expect(plan).toMatch(/pivot_root/);
    expect(plan).toMatch(/planned/);
    expect(plan).toMatch(/\bexec/);
    expect(plan.split('\n').length).toBeGreaterThan(20);
    expect(await bed.box.ok('ps -a -q')).toBe(before);
  });
});

describe('signals', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('%s to trun run reaches the container', async (signal) => {
    const script = `trap 'echo caught; exit 5' ${signal.slice(3)}; echo ready; while :; do sleep 0.1; done`;
    const running = bed.box.start(['run', '--rm', bed.image('busybox'), 'sh', '-c', script]);
    await running.printed('ready');
    running.kill(signal);
    expect(await running.result).toMatchObject({ status: 5, stdout: 'ready\ncaught\n' });
  });

  test('a killed trun run leaves its container running', async () => {
    const running = bed.box.start(['run', '--name', 'orphan', bed.image('busybox'), 'sleep', '100']);
    await bed.box.becomes('orphan', 'running');
    running.kill('SIGKILL');
    await running.result;
    await sleep(500);
    expect(await bed.box.inspect('orphan', '{{.State.Status}}')).toBe('running');
    await bed.box.ok('rm -f orphan');
  });
});
