/**
 * Images beside podman, interleaved. Run it as an ordinary user on a quiet machine (`npm run bench:images [ROUNDS] [PART…]`), parts:
 *
 *   pull   a Debian image, and one of ten layers and a gigabyte, from a registry on this machine into an empty store
 *   disk   bytes of the stores with five related images
 *   build  a Dockerfile of twelve instructions beside buildah: cold, cached, one source file changed
 *   lazy   first output of a small program in a gigabyte, behind a line of 100 Mbit/s, against pulling first
 */
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { output, run } from '../helpers/command.ts';
import { makeImages } from '../helpers/images.ts';
import { Registry } from '../helpers/registry.ts';
import { unmet } from '../helpers/requirements.ts';
import { Sandbox } from '../helpers/sandbox.ts';
import { benchBuild } from './build.ts';
import { packFolders, pushLarge, pushRelated } from './image-sources.ts';
import { startLazyRegistry } from './lazy-registry.ts';
import { type Contestant, printComparison, race } from './race.ts';

const rounds = Number(process.argv[2] ?? 5);
const parts = process.argv.slice(3);
const reason = await unmet(['ordinary-user', 'user-namespaces', 'podman', 'buildah', 'docker-registry', 'skopeo']);
if (reason !== undefined) {
  console.error(`This bench cannot run here: ${reason}`);
  process.exit(1);
}

await using box = new Sandbox();
const launcher = join(import.meta.dirname, '../../bin/trun');
const podmanRoot = join(box.folder, 'podman');
const podman = ['--root', podmanRoot, '--runroot', join(box.folder, 'podman-run'), '--events-backend', 'file'];
const env = { ...box.env, TRUN_ROOT: undefined };
mkdirSync(join(box.folder, 'podman-run'));
let aside = 0;

/** ext4 does not use inodes again that were freed in the last minutes, and looks at all of them: stores are set aside. */
function setAside(path: string): () => Promise<void> {
  return () => {
    if (existsSync(path)) renameSync(path, `${path}.${aside++}`);
    return Promise.resolve();
  };
}

function pullers(image: string): Contestant[] {
  const pull = ['pull', '--quiet', '--tls-verify=false', image];
  return [
    { name: 'trun', command: [launcher, 'pull', '-q', image], env: box.env, before: setAside(box.root) },
    { name: 'podman', command: ['podman', ...podman, ...pull], env, before: setAside(podmanRoot) },
  ];
}

async function tidy(): Promise<void> {
  await run('podman', [...podman, 'unshare', 'sh', '-c', `rm -rf ${podmanRoot} ${podmanRoot}.*`], {
    env,
    timeout: 600_000,
  });
  for (let index = 0; index < aside; index++) await rm(`${box.root}.${index}`, { recursive: true, force: true });
}

/** Bytes on disk. */
async function diskBytes(...command: string[]): Promise<number> {
  return Number((await output(command[0]!, command.slice(1), { env, timeout: 600_000 })).split('\t')[0]);
}

async function benchPull(registry: Registry, folder: string): Promise<void> {
  const debian = await makeImages(['debian']);
  await using debianRegistry = await Registry.start({ storage: debian });
  for (const image of [
    debianRegistry.reference('library/debian:bookworm'),
    registry.reference(await pushLarge(registry, folder)),
  ]) {
    printComparison(`pull ${image.replace(/^[^/]*\//, '')}`, await race(pullers(image), rounds));
    await tidy();
  }
}

async function benchDisk(registry: Registry, folder: string): Promise<void> {
  const base = await packFolders(
    join(folder, 'base.tar'),
    ['usr/share/doc', 'usr/lib/x86_64-linux-gnu/perl-base', 'usr/share/zoneinfo'],
    '2024-01-01 00:00Z',
  );
  const names = await pushRelated(registry, folder, base);
  await using lean = new Sandbox();
  await lean.ok('images');
  await output('sh', ['-c', `echo '{"keep-blobs": false}' > ${lean.root}/config.json`]);
  for (const name of names) {
    const image = registry.reference(name);
    await box.ok(['pull', '-q', image], { timeout: 600_000 });
    await lean.ok(['pull', '-q', image], { timeout: 600_000 });
    await output('podman', [...podman, 'pull', '--quiet', '--tls-verify=false', image], { env, timeout: 600_000 });
  }
  const theirs = await diskBytes('podman', ...podman, 'unshare', 'du', '-s', '-B1', podmanRoot);
  console.log(`five related images, MB on disk: podman ${(theirs / 1e6).toFixed(0)}`);
  for (const [name, root] of [
    ['trun', box.root],
    ['trun, keep-blobs false', lean.root],
  ] as const) {
    const ours = await diskBytes('du', '-s', '-B1', join(root, 'images'));
    console.log(`${name.padEnd(24)} ${(ours / 1e6).toFixed(0)}, ratio ${(ours / theirs).toFixed(2)}`);
  }
  await tidy();
}

async function benchLazy(): Promise<void> {
  await using registry = await startLazyRegistry(100e6 / 8);
  const image = `${registry.host}/lazy:1`;
  const program = ['sh', '-c', 'echo useful'];
  const lazyRun = [launcher, 'run', '--lazy', '--rm', image, ...program];
  const fullRun = [launcher, 'run', '--rm', image, ...program];
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    const times: number[] = [];
    for (const command of [lazyRun, fullRun]) {
      await using own = new Sandbox();
      await own.ok('images');
      const started = performance.now();
      const result = await run(command[0]!, command.slice(1), { env: own.env, timeout: 600_000 });
      times.push(performance.now() - started);
      if (result.stdout !== 'useful\n') throw new Error(result.stderr);
      const told = /^Lazy start.*$/m.exec(result.stderr)?.[0];
      if (told !== undefined) console.log(told);
    }
    const [lazy, full] = times as [number, number];
    console.log(`lazy ${lazy.toFixed(0)} ms, pull and run ${full.toFixed(0)} ms, ratio ${(lazy / full).toFixed(3)}`);
  }
}

function isAsked(part: string): boolean {
  return parts.length === 0 || parts.includes(part);
}
const sources = join(box.folder, 'sources');
mkdirSync(sources);
await using registry = await Registry.start();
if (isAsked('pull')) await benchPull(registry, sources);
if (isAsked('disk')) await benchDisk(registry, sources);
if (isAsked('lazy')) await benchLazy();
if (isAsked('build')) await benchBuild(rounds);
