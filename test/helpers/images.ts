/**
 * The fixture images, in the storage folder of a registry, made once and kept for a month:
 *
 * - `library/debian:bookworm` (and `latest`): a minbase Debian with the machine's own apt sources
 * - `library/busybox:latest`: Debian's static busybox with a link for each applet, and a page for httpd to serve
 * - `library/features:latest`: on busybox's layer, an image configuration and file kinds that use all there is
 * - `library/platforms:latest`: an index with this machine's and another architecture
 */
import { existsSync, statSync } from 'node:fs';
import { chmod, copyFile, mkdir, readFile, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { output } from './command.ts';
import { hostArchitecture, writeLayout } from './oci-layout.ts';
import { cacheFolder } from './paths.ts';
import { Registry } from './registry.ts';
import { waitFor } from './wait-for.ts';

/** Raise it when the fixtures change. */
const version = 2;
const monthInMilliseconds = 30 * 24 * 3600 * 1000;

const busyboxPath = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));
const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const accounts = {
  passwd: [
    'root:x:0:0:root:/root:/bin/sh',
    'daemon:x:1:1:daemon:/usr/sbin:/bin/false',
    'www-data:x:33:33:www-data:/var/www:/bin/sh',
    'guest:x:1000:1000:guest:/home/guest:/bin/sh',
    'nobody:x:65534:65534:nobody:/nonexistent:/bin/false',
  ],
  group: ['root:x:0:', 'daemon:x:1:', 'www-data:x:33:', 'staff:x:50:guest', 'guest:x:1000:', 'nogroup:x:65534:'],
} as const;

/** A tar file of `folder`, owned by root whoever makes it, the same whenever it is made. */
async function pack(folder: string, tar: string): Promise<void> {
  const steady = ['--owner=0', '--group=0', '--numeric-owner', '--sort=name', '--mtime=2024-01-01 00:00Z'];
  await output('tar', [...steady, '-C', folder, '-cf', tar, '.']);
}

async function makeBusybox(folder: string): Promise<string> {
  if (busyboxPath === undefined) throw new Error('busybox is not installed (Debian: busybox-static)');
  const root = join(folder, 'busybox');
  for (const name of ['bin', 'etc', 'home/guest', 'root', 'tmp', 'usr/bin', 'usr/sbin', 'sbin', 'var/www', 'var/tmp']) {
    await mkdir(join(root, name), { recursive: true });
  }
  await chmod(join(root, 'tmp'), 0o1777);
  await chmod(join(root, 'var/tmp'), 0o1777);
  await copyFile(busyboxPath, join(root, 'bin/busybox'));
  await chmod(join(root, 'bin/busybox'), 0o755);
  for (const applet of (await output(busyboxPath, ['--list'])).split('\n')) {
    if (applet !== 'busybox') await symlink('busybox', join(root, 'bin', applet));
  }
  await writeFile(join(root, 'etc/passwd'), `${accounts.passwd.join('\n')}\n`);
  await writeFile(join(root, 'etc/group'), `${accounts.group.join('\n')}\n`);
  await writeFile(join(root, 'var/www/index.html'), 'served by busybox\n');
  const tar = join(folder, 'busybox.tar');
  await pack(root, tar);
  return tar;
}

/** Debian's own binary packages, through the sources that this machine uses, if it is a bookworm itself. */
async function debianSources(): Promise<string[]> {
  const candidates = ['/etc/apt/sources.list'];
  for (const name of await readdir('/etc/apt/sources.list.d').catch(() => [])) {
    if (/\.(list|sources)$/.test(name)) candidates.push(join('/etc/apt/sources.list.d', name));
  }
  const found = [];
  for (const file of candidates) {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (/^(deb\s.*\s|Suites:\s*)bookworm/m.test(text)) found.push(file);
  }
  return found;
}

async function makeDebian(folder: string): Promise<string> {
  const tar = join(folder, 'debian.tar');
  await output('mmdebstrap', ['--quiet', '--variant=minbase', 'bookworm', tar, ...(await debianSources())], {
    timeout: 600_000,
  });
  // A fixture of files alone: what runs it makes the devices.
  await output('tar', ['--delete', '--wildcards', '-f', tar, './dev/*']);
  return tar;
}

/** Two layers above busybox: the second removes and replaces what the first brought. */
async function makeFeatures(folder: string): Promise<string[]> {
  const lower = join(folder, 'features-lower');
  await mkdir(join(lower, 'data/folder'), { recursive: true });
  await mkdir(join(lower, 'work'), { recursive: true });
  await writeFile(join(lower, 'data/kept'), 'kept\n');
  await writeFile(join(lower, 'data/removed'), 'must not be seen\n');
  await writeFile(join(lower, 'data/replaced'), 'old\n');
  await writeFile(join(lower, 'data/folder/removed'), 'must not be seen\n');
  await writeFile(join(lower, 'data/ünïcödé 名前'), 'unicode\n');
  await symlink('kept', join(lower, 'data/symlink'));
  await output('ln', [join(lower, 'data/kept'), join(lower, 'data/hardlink')]);
  await output('sh', ['-c', `printf '#!/bin/sh\\necho "entry: $*"\\n' > entry; chmod 755 entry`], { cwd: lower });
  await writeFile(join(lower, 'data/setuid'), '');
  await chmod(join(lower, 'data/setuid'), 0o4755);
  await pack(lower, join(folder, 'features-lower.tar'));

  const upper = join(folder, 'features-upper');
  await mkdir(join(upper, 'data/folder'), { recursive: true });
  await writeFile(join(upper, 'data/.wh.removed'), '');
  await writeFile(join(upper, 'data/replaced'), 'new\n');
  await writeFile(join(upper, 'data/folder/.wh..wh..opq'), '');
  await writeFile(join(upper, 'data/folder/added'), 'added\n');
  await pack(upper, join(folder, 'features-upper.tar'));
  return [join(folder, 'features-lower.tar'), join(folder, 'features-upper.tar')];
}

const featuresConfig = {
  User: 'guest:staff',
  ExposedPorts: { '8080/tcp': {} },
  Env: [path, 'FROM_IMAGE=yes', 'OVERRIDDEN=image'],
  Entrypoint: ['/entry'],
  Cmd: ['default', 'arguments'],
  Volumes: { '/data/volume': {} },
  WorkingDir: '/work',
  Labels: { 'org.example.fixture': 'features' },
  StopSignal: 'SIGINT',
};

async function make(folder: string, names: ReadonlySet<string>): Promise<void> {
  const layouts = join(folder, 'layouts');
  const busybox = await makeBusybox(folder);
  const shell = { Env: [path], Cmd: ['sh'] };
  await writeLayout(join(layouts, 'busybox'), { layers: [busybox], config: shell });
  const features = await makeFeatures(folder);
  await writeLayout(join(layouts, 'features'), { layers: [busybox, ...features], config: featuresConfig });
  const other = hostArchitecture === 'arm64' ? 'amd64' : 'arm64';
  await writeLayout(
    join(layouts, 'platforms'),
    { layers: [busybox], config: { ...shell, Labels: { variant: other } }, architecture: other },
    { layers: [busybox], config: { ...shell, Labels: { variant: hostArchitecture } } },
  );
  if (names.has('debian')) {
    const debian = await makeDebian(folder);
    await writeLayout(join(layouts, 'debian'), { layers: [debian], config: { Env: [path], Cmd: ['bash'] } });
  }
}

/** Fills a registry's storage folder with the images and returns when it lies at `target`, whole. */
async function makeStorage(target: string, withDebian: boolean): Promise<void> {
  const folder = `${target}.${process.pid}`;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  try {
    await make(folder, new Set(withDebian ? ['debian'] : []));
    const registry = await Registry.start({ emptyStorage: join(folder, 'storage') });
    try {
      for (const name of await readdir(join(folder, 'layouts'))) {
        await registry.push(join(folder, 'layouts', name), `library/${name}:latest`);
      }
      if (withDebian) await registry.push(join(folder, 'layouts/debian'), 'library/debian:bookworm');
    } finally {
      await registry[Symbol.asyncDispose]();
    }
    await rm(target, { recursive: true, force: true });
    await rename(join(folder, 'storage'), target);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export type ImageName = 'busybox' | 'debian' | 'features' | 'platforms';

function storageFolder(withDebian: boolean): string {
  return join(cacheFolder, `registry-${version}${withDebian ? '-debian' : ''}`);
}

function isFresh(folder: string): boolean {
  return existsSync(folder) && statSync(folder).mtimeMs > Date.now() - monthInMilliseconds;
}

/** Whether the Debian image, which takes long to make, is there already. */
export function hasDebianImage(): boolean {
  return isFresh(storageFolder(true));
}

/** Makes the images where they are missing or old, and returns the storage folder that holds them. */
export async function makeImages(names: readonly ImageName[]): Promise<string> {
  const withDebian = names.includes('debian');
  const target = storageFolder(withDebian);
  if (isFresh(target)) return target;
  const lock = `${target}.lock`;
  await mkdir(cacheFolder, { recursive: true });
  // Whoever makes the lock makes the images; the others wait for them.
  const isMaker = await mkdir(lock).then(
    () => true,
    () => false,
  );
  if (!isMaker) {
    await waitFor(`the fixture images (or remove ${lock})`, () => isFresh(target), { timeout: 300_000, interval: 500 });
    return target;
  }
  try {
    await makeStorage(target, withDebian);
  } finally {
    await rm(lock, { recursive: true, force: true });
  }
  return target;
}

/** A registry that holds the fixture images. Without `debian` among the names, that image may be absent. */
export async function startImageRegistry(names: readonly ImageName[]): Promise<Registry> {
  return Registry.start({ storage: await makeImages(names) });
}

/** Where an image lies in the registry, as in `localhost:5000/library/busybox:latest`. */
export function imageReference(registry: Registry, name: ImageName): string {
  return registry.reference(`library/${name}:${name === 'debian' ? 'bookworm' : 'latest'}`);
}
