/**
 * trun writes in its state and run-time folders and nowhere else.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { RunningCommand, output } from '../helpers/command.ts';
import { launcher } from '../helpers/paths.ts';
import { allPrograms } from '../helpers/sandbox.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { outsideWrites } from '../helpers/strace.ts';
import { unmet } from '../helpers/requirements.ts';

const bed = useSandbox({ images: ['busybox'] });

test('a run, an exec and a removal write nothing elsewhere (strace)', async ({ skip }) => {
  const reason = await unmet(['strace']);
  if (reason !== undefined) skip(reason);
  // newuidmap loses its privilege under strace, so the user's namespace has to be there before; the agent and the
  // servers, which are there as well, are traced beside the command.
  await bed.box.ok(['run', '-d', '--name', 'keep', bed.image('busybox'), 'sleep', '1000']);
  const servers = bed.box.servers(...allPrograms);
  expect(servers.length).toBeGreaterThan(1);
  const trace = join(bed.box.folder, 'trace');
  const attach = servers.flatMap(({ pid }) => ['-p', String(pid)]);
  const calls = ['-e', 'trace=file,clone,clone3,fork,vfork,setns,unshare'];
  const script = `"$0" run --rm -p 127.0.0.1::80 "$1" sh -c 'echo x >/file; mkdir /folder' && "$0" exec keep touch /by-exec &&
    "$0" run -d --name traced "$1" true && "$0" wait traced && "$0" logs traced && "$0" rm traced && "$0" volume create vol &&
    "$0" volume rm vol && "$0" ps -a && "$0" images`;
  const ended = join(bed.box.runtime, 'ended');
  const words = ['sh', '-c', `(${script}); echo $? >${ended}`, launcher, bed.image('busybox')];
  const options = ['-I', '2', '-f', '-y', '-qq', '-s', '300', ...calls, '-o', trace];
  const tracing = new RunningCommand('strace', [...options, ...attach, ...words], { env: bed.box.env });
  // strace stays with the servers: it lets go of them when it is interrupted, which -I 2 permits.
  await waitFor('the commands to end', () => existsSync(ended) || tracing.process.exitCode !== null, {
    timeout: 50_000,
  });
  tracing.kill('SIGINT');
  const result = await tracing.result;
  if (/attach: ptrace.*Operation not permitted/.test(result.stderr))
    skip('this machine lets nobody trace a running process');
  const status = readFileSync(ended, 'utf8');
  rmSync(ended);
  expect(status, result.stderr).toBe('0\n');
  const lines = readFileSync(trace, 'utf8').split('\n');
  expect(lines.length).toBeGreaterThan(500);
  expect(outsideWrites(lines, [bed.box.root, bed.box.runtime])).toEqual([]);
  await bed.box.ok('rm -f keep');
});

test('the home folder holds nothing new, the run-time folder one folder', async () => {
  await bed.box.ok(['run', '--rm', bed.image('busybox'), 'true']);
  expect(await output('find', [bed.box.home, '-mindepth', '1'])).toBe('');
  const entries = await output('find', [bed.box.runtime, '-mindepth', '1', '-maxdepth', '1', '-printf', '%f\\n']);
  expect(entries.split('\n').filter((name) => !/^(trun(-.*)?)?$/.test(name))).toEqual([]);
});

test('without a run-time folder, sockets lie below the state folder', async () => {
  const env = { XDG_RUNTIME_DIR: undefined };
  expect(await bed.box.ok(['run', '--rm', bed.image('busybox'), 'echo', 'ran'], { env })).toBe('ran');
});

test('without TRUN_ROOT, the state lies in XDG_CONFIG_HOME or ~/.config', async () => {
  const home = join(bed.box.folder, 'other-home');
  await output('mkdir', ['-p', home]);
  const env = { TRUN_ROOT: undefined, HOME: home, XDG_RUNTIME_DIR: join(home, 'run') };
  expect(await bed.box.ok('run --rm host echo ran', { env })).toBe('ran');
  const entries = await output('find', [home, '-mindepth', '1', '-maxdepth', '2', '-printf', '%P\\n']);
  expect(
    entries
      .split('\n')
      .sort()
      .filter((name) => !name.startsWith('run')),
  ).toEqual(['.config', '.config/trun']);
});

test('state is private to its user', async () => {
  expect(
    await output('find', [bed.box.root, bed.box.runtime, '-maxdepth', '1', '-perm', '/022', '!', '-type', 'l']),
  ).toBe('');
});
