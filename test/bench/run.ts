/**
 * `run --rm` and `exec` of a program that does nothing, beside rootless podman (crun, its default network) with the same
 * image from the same registry, interleaved; `run` also from nothing, with no process of trun's there. Run it as an
 * ordinary user on a quiet machine:
 *
 *     node test/bench/run.ts [ROUNDS]
 */
import { join } from 'node:path';
import { imageReference, startImageRegistry } from '../helpers/images.ts';
import { launcher } from '../helpers/paths.ts';
import { killProcessesOf } from '../helpers/processes.ts';
import { unmet } from '../helpers/requirements.ts';
import { Sandbox } from '../helpers/sandbox.ts';
import { PodmanPeer } from './podman-peer.ts';
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
await using podman = new PodmanPeer(box);
const image = imageReference(registry, 'busybox');
await box.ok(['pull', '-q', image]);
await podman.pull(image);

function contestants(words: readonly string[], before?: () => Promise<void>): Contestant[] {
  return [
    { name: 'trun', command: [launcher, ...words], env: box.env, ...(before && { before }) },
    { name: 'podman', command: podman.command(...words), env: podman.env },
  ];
}

const run = ['run', '--rm', image, 'true'];
printComparison('run --rm busybox true, warm', await race(contestants(run), rounds));

/** Ends trun's processes alone: podman keeps the one that holds its namespaces. */
async function endAll(): Promise<void> {
  for (const folder of [box.root, join(box.runtime, 'trun')]) await killProcessesOf(folder);
}
printComparison('run --rm busybox true, from nothing', await race(contestants(run, endAll), rounds));

const sleeper = ['run', '-d', '--name', 'sleeper', image, 'sleep', '100000'];
await box.ok(sleeper);
await podman.ok(...sleeper);
printComparison('exec true', await race(contestants(['exec', 'sleeper', 'true']), rounds));
await box.ok('rm -f sleeper');
