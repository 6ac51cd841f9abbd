/**
 * `run --rm busybox true`, warm, beside `podman run --rm` (rootless, crun, its default network) with the same image
 * from the same registry, interleaved. Run it as an ordinary user on a quiet machine:
 *
 *     node test/bench/run.ts [ROUNDS]
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { output } from '../helpers/command.ts';
import { imageReference, startImageRegistry } from '../helpers/images.ts';
import { unmet } from '../helpers/requirements.ts';
import { Sandbox } from '../helpers/sandbox.ts';
import { type Contestant, printComparison, race } from './race.ts';

const rounds = Number(process.argv[2] ?? 15);
const reason = await unmet([
  'ordinary-user',
  'user-namespaces',
  'docker-registry',
  'skopeo',
  'busybox',
  'podman',
  'crun',
]);
if (reason !== undefined) {
  console.error(`This bench cannot run here: ${reason}`);
  process.exit(1);
}

await using registry = await startImageRegistry(['busybox']);
await using box = new Sandbox();
const image = imageReference(registry, 'busybox');

mkdirSync(join(box.folder, 'podman-run'));
const podman = [
  ...['--root', join(box.folder, 'podman'), '--runroot', join(box.folder, 'podman-run')],
  ...['--runtime', 'crun', '--cgroup-manager', 'cgroupfs', '--events-backend', 'file'],
];
const env = { ...box.env, TRUN_ROOT: undefined };
const launcher = join(import.meta.dirname, '../../bin/trun');

const contestants: Contestant[] = [
  { name: 'trun', command: [launcher, 'run', '--rm', image, 'true'], env: box.env },
  { name: 'podman', command: ['podman', ...podman, 'run', '--rm', image, 'true'], env },
];

await box.ok(['pull', '-q', image]);
await output('podman', [...podman, 'pull', '--quiet', '--tls-verify=false', image], { env });
printComparison('run --rm busybox true, warm', await race(contestants, rounds));
await output('podman', [...podman, 'unshare', 'rm', '-rf', join(box.folder, 'podman')], { env });
