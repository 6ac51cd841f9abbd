/**
 * `pull` of an image into an empty store, beside `podman pull` from the same registry on this machine, interleaved. Run it
 * as an ordinary user on a quiet machine:
 *
 *     node test/bench/pull.ts [ROUNDS] [IMAGE]
 *
 * IMAGE is a reference to a loopback registry of one's own; without it the fixture Debian is pulled. Stores are set aside
 * between rounds and removed at the end: ext4 does not use inodes again that were freed in the last minutes, and looks at all of
 * them at each create, so a store that is removed and filled again measures that.
 */
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { output } from '../helpers/command.ts';
import { imageReference, startImageRegistry } from '../helpers/images.ts';
import { unmet } from '../helpers/requirements.ts';
import { Sandbox } from '../helpers/sandbox.ts';
import { type Contestant, printComparison, race } from './race.ts';

const rounds = Number(process.argv[2] ?? 5);
const given = process.argv[3];
const fixtures = given === undefined ? (['docker-registry', 'skopeo', 'busybox', 'debian-image'] as const) : [];
const reason = await unmet(['ordinary-user', 'user-namespaces', 'podman', ...fixtures]);
if (reason !== undefined) {
  console.error(`This bench cannot run here: ${reason}`);
  process.exit(1);
}

await using box = new Sandbox();
await using registry = given === undefined ? await startImageRegistry(['debian']) : undefined;
const image = given ?? imageReference(registry!, 'debian');
const launcher = join(import.meta.dirname, '../../bin/trun');
const podmanRoot = join(box.folder, 'podman');
const podman = ['--root', podmanRoot, '--runroot', join(box.folder, 'podman-run'), '--events-backend', 'file'];
const env = { ...box.env, TRUN_ROOT: undefined };
mkdirSync(join(box.folder, 'podman-run'));

let aside = 0;

function setAside(path: string): () => Promise<void> {
  return () => {
    if (existsSync(path)) renameSync(path, `${path}.${aside++}`);
    return Promise.resolve();
  };
}

const contestants: Contestant[] = [
  { name: 'trun', command: [launcher, 'pull', '-q', image], env: box.env, before: setAside(box.root) },
  {
    name: 'podman',
    command: ['podman', ...podman, 'pull', '--quiet', '--tls-verify=false', image],
    env,
    before: setAside(podmanRoot),
  },
];

printComparison(`pull ${image}`, await race(contestants, rounds));
await output('podman', [...podman, 'unshare', 'sh', '-c', `rm -rf ${podmanRoot} ${podmanRoot}.*`], {
  env,
  timeout: 600_000,
});
