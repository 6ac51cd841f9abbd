/**
 * Whatever is wrong with what trun is given: one clear line, the right exit code, and nothing left behind.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Result, run } from '../helpers/command.ts';
import { launcher } from '../helpers/paths.ts';
import { freePort } from '../helpers/registry.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ images: ['busybox'] });

/** Runs a command that has to fail with one line and leave no container. A usage hint may follow. */
async function fails(words: readonly string[]): Promise<Result> {
  const before = await bed.box.ok('ps -a -q');
  const result = await bed.box.trun(words);
  expect(result.status, result.stdout).not.toBe(0);
  const lines = result.stderr
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '' && !/^(See 'trun|Run 'trun|Usage:|Unable to find image)/.test(line));
  expect(lines, result.stderr).toHaveLength(1);
  expect(lines[0]).toMatch(/^trun: /);
  expect(result.stderr).not.toMatch(/\.(cjs|ts|js):\d+|at async|node:internal|undefined|\[object/);
  expect(await bed.box.ok('ps -a -q')).toBe(before);
  expect(bed.box.containerProcesses()).toEqual([]);
  return result;
}

describe('images', () => {
  test('an unknown image', async () => {
    const result = await fails(['run', '--rm', bed.registry.reference('no/such:image'), 'true']);
    expect(result.status).toBe(125);
    expect(result.stderr).toMatch(/no\/such.*(not found|manifest unknown|unknown)/i);
  });

  test('an unknown tag', async () => {
    const result = await fails(['pull', bed.image('busybox').replace(':latest', ':no-such-tag')]);
    expect(result.status).toBe(1);
    expect(result.stderr).toMatch(/no-such-tag/);
  });

  test('an unreachable registry', async () => {
    const result = await fails(['run', '--rm', `localhost:${await freePort()}/a:b`, 'true']);
    expect(result.status).toBe(125);
    expect(result.stderr).toMatch(/refused|connect|unreachable/i);
  });

  test('a registry whose name does not resolve', async () => {
    const result = await fails(['run', '--rm', 'registry.invalid/a:b', 'true']);
    expect(result.status).toBe(125);
    expect(result.stderr).toMatch(/registry\.invalid/);
  });

  test('something that is no registry', async () => {
    const server = createServer((_, response) => response.end('<html>hello</html>'));
    onTestFinished(() => {
      server.close();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const result = await fails(['run', '--rm', `localhost:${(server.address() as AddressInfo).port}/a:b`, 'true']);
    expect(result.status).toBe(125);
  });

  test('a registry that breaks off', async () => {
    const server = createServer((request) => request.socket.destroy());
    onTestFinished(() => {
      server.close();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const result = await fails(['run', '--rm', `localhost:${(server.address() as AddressInfo).port}/a:b`, 'true']);
    expect(result.status).toBe(125);
  });

  test.each(['UPPER/case', 'a:b:c', 'name@sha256:short', '', '../up', 'a//b', 'x'.repeat(300)])(
    '%j is no reference',
    async (reference) => {
      const result = await fails(['run', '--rm', reference, 'true']);
      expect(result.status).toBe(125);
      expect(result.stderr).toMatch(/invalid reference|repository name|image/i);
    },
  );
});

describe('flags', () => {
  test.each([
    [['--no-such-flag'], /no-such-flag/],
    [['--memory', 'lots'], /lots/],
    [['--cpus', '-1'], /-1/],
    [['--cpus', 'x'], /x/],
    [['--pids-limit', 'x'], /x/],
    [['--platform', 'nonsense'], /nonsense/],
    [['--pull', 'sometimes'], /sometimes/],
    [['--name', 'not a name'], /not a name/],
    [['--name', '../up'], /\.\.\/up/],
    [['--env-file', '/no/such/file'], /\/no\/such\/file/],
    [['-e', '=x'], /=x/],
    [['-w', 'relative'], /relative/],
    [['--tmpfs', 'relative'], /relative/],
    [['--security-opt', 'what=ever'], /what/],
    [['--storage-opt', 'writable=paper'], /paper/],
    [['--hostname', 'under_score!'], /under_score!/],
    [['--label', ''], /label/i],
  ])('%j', async (flags, message) => {
    const result = await fails(['run', '--rm', ...flags, bed.image('busybox'), 'true']);
    expect(result.status).toBe(125);
    expect(result.stderr).toMatch(message);
  });

  test('no image', async () => {
    expect((await fails(['run', '--rm'])).status).toBe(125);
  });
});

describe('commands', () => {
  test('an unknown command', async () => {
    const result = await fails(['no-such-command']);
    expect(result.stderr).toMatch(/no-such-command/);
    expect(result.status).toBe(125);
  });

  test.each([
    [['start', 'no-such-box']],
    [['stop', 'no-such-box']],
    [['kill', 'no-such-box']],
    [['rm', 'no-such-box']],
    [['wait', 'no-such-box']],
    [['top', 'no-such-box']],
    [['attach', 'no-such-box']],
    [['restart', 'no-such-box']],
    [['rename', 'no-such-box', 'other']],
    [['exec', 'no-such-box', 'true']],
    [['logs', '../../etc']],
    [['kill', '-s', 'NOSUCH', 'no-such-box']],
    [['ps', '--format', '{{.Unclosed']],
    [['logs', '--tail', 'x', 'no-such-box']],
    [['logs', '--since', 'x', 'no-such-box']],
  ])('%j', async (words) => {
    expect((await fails(words)).status).toBe(1);
  });

  test('help goes to standard output and is no error', async () => {
    for (const words of [['--help'], ['run', '--help'], ['exec', '--help'], ['help']]) {
      const { status, stdout } = await bed.box.trun(words);
      expect(status).toBe(0);
      expect(stdout).toMatch(/Usage:\s+trun/);
    }
  });
});

describe('a state folder', () => {
  test('that cannot be made', async () => {
    const { status, stderr } = await bed.box.trun(['run', '--rm', 'host', 'true'], {
      env: { TRUN_ROOT: '/proc/no/such' },
    });
    expect(status).toBe(125);
    expect(stderr.trimEnd().split('\n')).toHaveLength(1);
    expect(stderr).toMatch(/\/proc\/no/);
  });

  test('with a container record that is broken: the others are listed', async () => {
    const id = await bed.box.ok(['run', '-d', '--name', 'good', bed.image('busybox'), 'true']);
    await bed.box.ok(['wait', id]);
    expect(await bed.box.ok(['ps', '-a', '--format', '{{.Names}}'])).toContain('good');
    await bed.box.ok('rm good');
  });
});

test('no write to a closed pipe is a crash', async () => {
  const script = `"$0" run --rm ${bed.image('busybox')} sh -c 'yes | head -c 1000000' | head -n 1`;
  const result = await run('sh', ['-c', script, launcher], { env: bed.box.env });
  expect(result).toMatchObject({ status: 0, stdout: 'y\n', stderr: '' });
});
