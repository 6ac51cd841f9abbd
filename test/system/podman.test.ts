/**
 * Debian's podman with trun-oci as its runtime: conmon, its networks, pods and exec on our containers.
 *
 * Runs as: user, root
 */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { makeRootfs } from '../helpers/oci-bundle.ts';
import { Podman } from '../helpers/podman.ts';
import { unmet } from '../helpers/requirements.ts';

const reason = await unmet(['user-namespaces', 'busybox', 'podman', 'subordinate-ids']);
/** An ordinary user has no cgroups of version 1 to give; root's containers are limited. */
const limits = process.getuid!() === 0 ? ['--pids-limit', '50', '--memory', '64m'] : ['--cgroups', 'disabled'];
let folder: string;
let podman: Podman;

beforeEach(({ skip }) => skip(reason !== undefined, reason));

beforeAll(async () => {
  if (reason !== undefined) return;
  folder = mkdtempSync('/tmp/trun-pod-');
  makeRootfs(join(folder, 'rootfs'));
  podman = new Podman(folder);
  await podman.import(join(folder, 'rootfs'));
});

afterAll(async () => {
  if (reason !== undefined) return;
  await podman.discard();
  const state = join(folder, 'run/trun-oci');
  expect(process.getuid!() === 0 ? [] : readdirSync(state)).toEqual([]);
  rmSync(folder, { recursive: true, force: true });
});

test('run: output, exit status, the runtime that podman says it has', async () => {
  const script = 'echo out; id -u; exit 5';
  const { status, stdout } = await podman.call(['run', '--rm', ...limits, 'busybox', 'sh', '-c', script]);
  expect({ status, stdout }).toEqual({ status: 5, stdout: 'out\n0\n' });
  expect(await podman.ok(['info', '--format', '{{.Host.OCIRuntime.Name}}'])).toBe('trun-oci');
});

test('a program that is not there, and one that cannot be executed, have podman’s own exit statuses', async () => {
  expect((await podman.call(['run', '--rm', ...limits, 'busybox', 'nowhere'])).status).toBe(127);
  expect((await podman.call(['run', '--rm', ...limits, 'busybox', '/bin'])).status).toBe(126);
});

test('exec, with input and with a terminal; stop by the program’s own handler; start once more', async () => {
  const script = 'trap "exit 3" TERM; while :; do sleep 0.05; done';
  await podman.ok(['run', '-d', '--name', 'box', ...limits, 'busybox', 'sh', '-c', script]);
  expect(await podman.ok(['exec', '-i', 'box', 'cat'], { input: 'through' })).toBe('through');
  expect(await podman.ok(['exec', '-t', 'box', 'tty'])).toMatch(/^\/dev\/pts\/\d+/);
  expect((await podman.call(['exec', 'box', 'sh', '-c', 'exit 9'])).status).toBe(9);
  expect((await podman.call(['exec', 'box', 'nowhere'])).status).toBe(127);
  await podman.ok(['stop', '--time', '20', 'box']);
  expect(await podman.ok(['inspect', 'box', '--format', '{{.State.ExitCode}} {{.OCIRuntime}}'])).toBe('3 trun-oci');
  await podman.ok(['start', 'box']);
  await podman.ok(['kill', 'box']);
  await podman.ok(['wait', 'box']);
  await podman.ok(['rm', 'box']);
});

test('a pod shares its namespaces, and podman’s own network leads to a neighbour', async () => {
  await podman.ok(['pod', 'create', '--name', 'pod', '--share', 'ipc,net,uts']);
  const serve = 'echo shared >/dev/shm/file; echo ready; exec sleep 1000';
  await podman.ok(['run', '-d', '--pod', 'pod', ...limits, 'busybox', 'sh', '-c', serve]);
  const shown = 'until cat /dev/shm/file 2>/dev/null; do sleep 0.05; done; hostname';
  expect(await podman.ok(['run', '--rm', '--pod', 'pod', ...limits, 'busybox', 'sh', '-c', shown])).toBe('shared\npod');
  await podman.ok(['pod', 'rm', '--force', '--time', '0', 'pod']);
});

test('volumes, tmpfs over what the image has, a read-only root', async () => {
  const mounts = ['--read-only', '--tmpfs', '/bin2', '-v', `${folder}/rootfs/bin:/data:ro`];
  const script = 'ls /data/busybox; touch /data/x; touch /x; touch /bin2/x && echo written';
  const { stdout } = await podman.call(['run', '--rm', ...limits, ...mounts, 'busybox', 'sh', '-c', script]);
  expect(stdout).toBe('/data/busybox\nwritten\n');
});

test('the user’s own id inside (keep-id): a user namespace within podman’s', async ({ skip }) => {
  skip(process.getuid!() === 0, 'for ordinary users');
  const printed = await podman.ok(['run', '--rm', ...limits, '--userns', 'keep-id', 'busybox', 'id', '-u']);
  expect(printed).toBe(String(process.getuid!()));
});
