import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EngineError } from '../engine/engine-error.ts';
import { FakeTerminal } from './testing/fake-surroundings.ts';

let terminal: FakeTerminal;

beforeEach(() => {
  terminal = new FakeTerminal();
});

afterEach(() => {
  terminal[Symbol.dispose]();
});

describe('help', () => {
  test.each([[], ['--help'], ['-h'], ['help']])('%j', async (...words) => {
    const { status, stdout, stderr } = await terminal.trun(...words);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(/^Usage: {2}trun \[OPTIONS\] COMMAND\n/);
    expect(stdout).toContain('\n  run         Create and run a new container from an image\n');
    expect(stdout).toContain('\n  container   Manage containers\n');
  });

  test.each([
    ['run', '--help'],
    ['run', '-it', '--help'],
    ['help', 'run'],
  ])('%s %s', async (...words) => {
    const { status, stdout } = await terminal.trun(...words);
    expect(status).toBe(0);
    expect(stdout).toMatch(/^Usage: {2}trun run \[OPTIONS\] IMAGE \[COMMAND\] \[ARG\.\.\.\]\n\nCreate and run a new/);
    expect(stdout).toContain('Aliases:\n  trun container run, trun run\n');
    expect(stdout).toMatch(/\n {2}-d, --detach {2,}Run container in background and print\s+container ID\n/);
    expect(stdout).toMatch(/\n {6}--stop-timeout int {2,}Timeout/);
    expect(stdout).not.toMatch(/--cpu-count|--disable-content-trust/);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  test.each([['volume'], ['volume', '--help'], ['help', 'volume']])('%j', async (...words) => {
    const { stdout } = await terminal.trun(...words);
    expect(stdout).toMatch(
      /^Usage: {2}trun volume COMMAND\n\nManage volumes\n\nCommands:\n {2}create {6}Create a volume\n/,
    );
  });

  test.each(['attach', 'cp', 'create', 'doctor', 'exec', 'images', 'info', 'inspect', 'kill', 'logs', 'port', 'ps'])(
    'of %s',
    async (name) => {
      const { status, stdout } = await terminal.trun(name, '--help');
      expect(status).toBe(0);
      expect(stdout).toContain(`Usage:  trun ${name}`);
    },
  );

  test('several lines of usage', async () => {
    const { stdout } = await terminal.trun('cp', '--help');
    expect(stdout).toMatch(
      /^Usage: {2}trun cp \[OPTIONS\] CONTAINER:SRC_PATH DEST_PATH\|-\n {8}trun cp \[OPTIONS\] SRC/,
    );
  });
});

test.each([['--version'], ['-v']])('%s', async (flag) => {
  expect(await terminal.trun(flag)).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/^trun version \d+\.\d+\.\d+\n$/) as string,
  });
});

describe('a wrong command line', () => {
  test.each<[string[], number, string]>([
    [['nope'], 125, "trun: 'nope' is not a trun command.\nSee 'trun --help'.\n"],
    [['constructor'], 125, "trun: 'constructor' is not a trun command.\nSee 'trun --help'.\n"],
    [['container', 'nope'], 125, "trun: 'container nope' is not a trun command.\nSee 'trun --help'.\n"],
    [['--nope', 'run'], 125, "trun: unknown flag: --nope\nSee 'trun --help'.\n"],
    [['run', '--nope', 'x'], 125, "trun: unknown flag: --nope\nSee 'trun run --help'.\n"],
    [['ps', '--nope'], 125, "trun: unknown flag: --nope\nSee 'trun ps --help'.\n"],
    [['container', 'ls', '-X'], 125, "trun: unknown shorthand flag: 'X' in -X\nSee 'trun container ls --help'.\n"],
    [['run'], 125, `trun: "trun run" requires at least 1 argument.\nSee 'trun run --help'.\n`],
    [['create'], 1, `trun: "trun create" requires at least 1 argument.\nSee 'trun create --help'.\n`],
    [['ps', 'x'], 1, `trun: "trun ps" accepts no arguments.\nSee 'trun ps --help'.\n`],
    [['stop'], 1, `trun: "trun stop" requires at least 1 argument.\nSee 'trun stop --help'.\n`],
    [['rename', 'a'], 1, `trun: "trun rename" requires exactly 2 arguments.\nSee 'trun rename --help'.\n`],
    [['port', 'a', 'b', 'c'], 1, `trun: "trun port" requires at most 2 arguments.\nSee 'trun port --help'.\n`],
    [
      ['run', '-d', '-a', 'stdin', 'x'],
      125,
      "trun: conflicting options: cannot specify both --attach and --detach\nSee 'trun run --help'.\n",
    ],
    [['ps', '--format', '{{.Unclosed'], 1, 'trun: template: :1: unclosed action\n'],
    [['ps', '--filter', 'colour=red'], 1, "trun: invalid filter 'colour'\n"],
    [['run', '-it', 'x'], 1, 'trun: the input device is not a TTY\n'],
    [['exec', '-it', 'x', 'y'], 1, 'trun: the input device is not a TTY\n'],
    [
      ['run', '--pull=sometimes', 'x'],
      125,
      `trun: invalid argument "sometimes" for "--pull" flag: it must be one of "always", "missing" or "never"\nSee 'trun run --help'.\n`,
    ],
    [['start', '-a', 'one', 'two'], 1, 'trun: you cannot start and attach multiple containers at once\n'],
    [['logs', 'nobody'], 1, 'trun: No such container: nobody\n'],
    [['cp', 'a', 'b'], 1, 'trun: must specify at least one container source\n'],
    [['volume', 'inspect', '-f', '{{.Name}}', 'nope'], 1, 'trun: get nope: no such volume\n'],
  ])('%j', async (words, status, stderr) => {
    expect(await terminal.trun(...words)).toMatchObject({ status, stderr, stdout: '' });
  });
});

describe("the engine's errors", () => {
  test.each<[string[], EngineError['code'], number]>([
    [['run', '-d', 'x'], 'FAILED', 125],
    [['run', '-d', 'x'], 'CONFLICT', 125],
    [['run', '-d', 'x'], 'COMMAND_NOT_FOUND', 127],
    [['run', '-d', 'x'], 'COMMAND_NOT_EXECUTABLE', 126],
    [['create', 'x'], 'INVALID', 1],
    [['start', 'x'], 'COMMAND_NOT_FOUND', 1],
    [['stop', 'x'], 'NOT_FOUND', 1],
    [['rm', 'x'], 'CONFLICT', 1],
    [['rm', '-f', 'x'], 'NOT_FOUND', 0],
    [['rename', 'x', 'y'], 'CONFLICT', 1],
    [['volume', 'create'], 'UNSUPPORTED', 1],
  ])('%j with %s', async (words, code, status) => {
    terminal.answer = () => {
      throw new EngineError(code, `it is ${code}`);
    };
    expect(await terminal.trun(...words)).toMatchObject({ status, stderr: `trun: it is ${code}\n`, stdout: '' });
  });

  test('are one line whatever is in them, and do not reach the terminal as commands', async () => {
    terminal.answer = () => {
      throw new EngineError('FAILED', 'first\n  second\x1b[2J\n');
    };
    expect((await terminal.trun('run', '-d', 'x')).stderr).toBe('trun: first: second?[2J\n');
  });
});

describe('what the agent is asked', () => {
  test.each<[string[], string, object]>([
    [['run', '-d', '--name', 'n', 'host', 'true'], 'run', { wait: false, request: { name: 'n', image: 'host' } }],
    [['create', '-i', 'host'], 'create', { request: { openStdin: true } }],
    [['start', 'a'], 'start', { container: 'a', wait: false }],
    [['stop', '-t', '3', '-s', 'INT', 'a'], 'stop', { container: 'a', timeout: 3, signal: 'INT' }],
    [['stop', '--time', '0', 'a'], 'stop', { container: 'a', timeout: 0 }],
    [['restart', 'a'], 'restart', { container: 'a' }],
    [['kill', 'a'], 'kill', { container: 'a', signal: 'KILL' }],
    [['kill', '-sUSR1', 'a'], 'kill', { container: 'a', signal: 'USR1' }],
    [['rm', '-fv', 'a'], 'remove', { container: 'a', force: true, volumes: true }],
    [['container', 'rm', 'a'], 'remove', { container: 'a', force: false, volumes: false }],
    [['container', 'remove', 'a'], 'remove', { container: 'a' }],
    [['rename', 'a', 'b'], 'rename', { container: 'a', name: 'b' }],
    [['volume', 'create', '--label', 'k=v', 'data'], 'createVolume', { name: 'data', labels: { k: 'v' } }],
    [['volume', 'rm', '-f', 'data'], 'removeVolume', { name: 'data', force: true }],
    [['run', '--dry-run', 'host', 'id'], 'dryRun', { request: { options: { args: ['id'] } } }],
  ])('%j', async (words, method, params) => {
    const { status, asked } = await terminal.trun(...words);
    expect(status).toBe(0);
    expect(asked).toEqual([{ method, params: expect.objectContaining({}) as object }]);
    expect(asked[0]!.params).toMatchObject(params);
  });

  test('ids and names are printed, one after the other', async () => {
    terminal.answer = (method) => (method === 'run' ? { id: 'f'.repeat(64), warnings: [] } : {});
    expect((await terminal.trun('run', '-d', 'host')).stdout).toBe(`${'f'.repeat(64)}\n`);
    expect((await terminal.trun('stop', 'a', 'b')).stdout).toBe('a\nb\n');
  });

  test('one failure does not stop the others', async () => {
    terminal.answer = (_, { container }: { container: string }) => {
      if (container === 'b') throw new EngineError('NOT_FOUND', 'No such container: b');
      return {};
    };
    expect(await terminal.trun('rm', 'a', 'b', 'c')).toMatchObject({
      status: 1,
      stdout: 'a\nc\n',
      stderr: 'trun: No such container: b\n',
    });
  });

  test('exit codes are printed', async () => {
    terminal.answer = () => ({ exitCode: 8 });
    expect((await terminal.trun('wait', 'a', 'b')).stdout).toBe('8\n8\n');
  });
});

describe('images that are not there', () => {
  test('--pull never tells so', async () => {
    terminal.answer = () => {
      throw new EngineError('NOT_FOUND', 'No such image: busybox:latest');
    };
    expect(await terminal.trun('run', '-d', '--pull', 'never', 'busybox')).toMatchObject({
      status: 125,
      stderr: 'trun: No such image: busybox:latest\n',
    });
  });

  test('are pulled, and what is then wrong is told in one line more', async () => {
    terminal.answer = () => {
      throw new EngineError('NOT_FOUND', 'No such image: localhost:1/x:latest');
    };
    const { status, stderr } = await terminal.trun('run', '-d', 'localhost:1/x');
    expect(status).toBe(125);
    expect(stderr).toMatch(/^Unable to find image 'localhost:1\/x:latest' locally\ntrun: Cannot reach registry .*\n$/);
  });
});

test('lists of an empty state', async () => {
  expect((await terminal.trun('ps', '-a')).stdout).toBe(
    'CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES\n',
  );
  expect((await terminal.trun('images')).stdout).toBe('REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n');
  expect((await terminal.trun('volume', 'ls')).stdout).toBe('DRIVER    VOLUME NAME\n');
  expect((await terminal.trun('ps', '-aq')).stdout).toBe('');
  expect(await terminal.trun('inspect', 'nothing')).toMatchObject({
    status: 1,
    stdout: '[]\n',
    stderr: 'trun: No such object: nothing\n',
  });
});

test('a state folder that cannot be made is one line', async () => {
  const { status, stderr } = await terminal.trun('--root', '/dev/null/x', 'ps');
  expect(status).toBe(1);
  expect(stderr).toMatch(/^trun: .*\/dev\/null\/x.*\n$/);
});
