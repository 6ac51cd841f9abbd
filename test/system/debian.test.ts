/**
 * A real distribution, from the registry to its package manager.
 */
import { describe, expect, onTestFinished, test } from 'vitest';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { unmet } from '../helpers/requirements.ts';

const bed = useSandbox({ images: ['debian'], requires: ['subordinate-ids', 'dev-net-tun'] });

describe.each(['auto', 'fuse'])('with writable=%s', (writable) => {
  test('apt-get update && apt-get install', async ({ skip }) => {
    const reason = await unmet(['debian-mirror']);
    if (reason !== undefined) skip(reason);
    const script =
      'apt-get update && apt-get install -y hello file && hello && file /bin/sh && dpkg -V hello && echo verified';
    const options = ['--rm', '--storage-opt', `writable=${writable}`];
    const { status, stdout, stderr } = await bed.box.trun(
      ['run', ...options, bed.image('debian'), 'sh', '-c', script],
      { timeout: 150_000 },
    );
    expect({ status, stderr: status === 0 ? '' : stderr + stdout }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain('Hello, world!');
    expect(stdout).toContain('/bin/sh: symbolic link to dash');
    expect(stdout).toContain('verified');
  });

  test('dpkg, perl and users do their work', async () => {
    const script = `set -e; useradd -m somebody; su somebody -c 'id -un; touch ~/f; stat -c %U ~/f'; dpkg --audit
      perl -e 'print join(",", map { $_ * 2 } 1..3), "\\n"'; tar -C /usr -cf - share/perl5 | tar -tf - | grep -c / >/dev/null
      passwd -l somebody >/dev/null 2>&1; dpkg-divert --add --rename --divert /bin/true.real /bin/true >/dev/null; ls /bin/true.real`;
    const printed = await bed.box.ok([
      'run',
      '--rm',
      '--storage-opt',
      `writable=${writable}`,
      bed.image('debian'),
      'bash',
      '-c',
      script,
    ]);
    expect(printed).toBe('somebody\nsomebody\n2,4,6\n/bin/true.real');
  });
});

test('bash on a terminal', async ({ skip }) => {
  const reason = await unmet(['tmux']);
  if (reason !== undefined) skip(reason);
  const terminal = await bed.box.terminal(['run', '--rm', '-it', '--hostname', 'deb', bed.image('debian'), 'bash']);
  onTestFinished(() => terminal[Symbol.asyncDispose]());
  await terminal.shows('root@deb:/#');
  expect(await terminal.screen()).not.toContain('job control');
  await terminal.enter('cat /etc/debian_version; sleep 100 &');
  await terminal.shows(/^12\./m);
  await terminal.enter('jobs; kill %1; exit 4');
  expect(await terminal.exitStatus()).toBe(4);
});
