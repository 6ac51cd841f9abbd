/**
 * Debian's containerd with trun-oci as the BinaryName of its runc shim: `ctr run`, exec, pause, metrics, kill.
 *
 * Runs as: root
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type CommandOptions, output, type Result, run } from '../helpers/command.ts';
import { makeRootfs, ociLauncher } from '../helpers/oci-bundle.ts';
import { unmet } from '../helpers/requirements.ts';
import { waitFor } from '../helpers/wait-for.ts';

const reason = await unmet(['root', 'busybox', 'containerd']);
let folder: string;
let daemon: ChildProcess;

beforeEach(({ skip }) => skip(reason !== undefined, reason));

beforeAll(async () => {
  if (reason !== undefined) return;
  folder = mkdtempSync('/tmp/trun-ctr-');
  makeRootfs(join(folder, 'rootfs'));
  const config = join(folder, 'config.toml');
  writeFileSync(
    config,
    `version = 2
root = "${folder}/root"
state = "${folder}/state"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]
[grpc]
address = "${folder}/sock"
`,
  );
  daemon = spawn('containerd', ['--config', config], { stdio: 'ignore' });
  await waitFor('containerd to answer', async () => (await ctr(['version'])).status === 0);
});

afterAll(async () => {
  if (reason !== undefined) return;
  daemon.kill('SIGTERM');
  await once(daemon, 'exit');
  rmSync(folder, { recursive: true, force: true });
});

const ours = ['--runc-binary', ociLauncher];

function ctr(args: readonly string[], options: CommandOptions = {}): Promise<Result> {
  return run('ctr', ['--address', join(folder, 'sock'), ...args], options);
}

function ok(args: readonly string[]): Promise<string> {
  return output('ctr', ['--address', join(folder, 'sock'), ...args]);
}

function runArgs(id: string, ...command: string[]): string[] {
  return [...ours, '--rootfs', join(folder, 'rootfs'), id, ...command];
}

test('run: output and exit status', async () => {
  const { status, stdout } = await ctr(['run', '--rm', ...runArgs('one', 'sh', '-c', 'echo out; exit 4')]);
  expect({ status, stdout }).toEqual({ status: 4, stdout: 'out\n' });
});

test('exec, pause and resume, metrics, kill', async () => {
  await ok(['run', '--detach', ...runArgs('two', 'sleep', '1000')]);
  const executed = await ctr(['task', 'exec', '--exec-id', 'e', 'two', 'sh', '-c', 'echo inside; exit 6']);
  expect(executed).toMatchObject({ status: 6, stdout: 'inside\n' });
  await ok(['task', 'pause', 'two']);
  expect(await ok(['task', 'ls'])).toMatch(/two\s+\d+\s+PAUSED/);
  await ok(['task', 'resume', 'two']);
  expect(await ok(['task', 'metrics', 'two'])).toMatch(/pids\.current\s+1/);
  await ok(['task', 'kill', '--signal', 'KILL', 'two']);
  await waitFor('the task to stop', async () => /two\s+\d+\s+STOPPED/.test(await ok(['task', 'ls'])));
  await ctr(['task', 'rm', 'two']);
  await ok(['container', 'rm', 'two']);
});

test('a program that is not there', async () => {
  const { status, stderr } = await ctr(['run', '--rm', ...runArgs('three', 'nowhere')]);
  expect(status).toBe(1);
  expect(stderr).toContain('exec: "nowhere": executable file not found in $PATH');
});
