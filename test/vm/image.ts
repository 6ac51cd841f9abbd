/**
 * The guest's image: Debian, made once by mmdebstrap (as root or, in a user namespace, as anybody with subordinate ids)
 * and kept in the cache under a name that changes with its recipe.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { cacheFolder } from '../helpers/paths.ts';

const SUITE = 'bookworm';
const PACKAGES = [
  'busybox-static',
  'dbus',
  'dbus-user-session',
  'fuse3',
  'kmod',
  'libpam-systemd',
  'linux-image-cloud-amd64',
  'procps',
  'systemd',
  'systemd-sysv',
  'uidmap',
];
const DISK_SIZE = '2G';

export interface GuestImage {
  kernel: string;
  initrd: string;
  /** ext4, only ever read: a guest writes to a snapshot. */
  disk: string;
}

/** A program of this machine, also from where an ordinary user's PATH does not lead. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** The image, made now if there is none yet (a minute or two, and some 70 MB from the Debian mirror). */
export async function guestImage(): Promise<GuestImage> {
  const recipe = readFileSync(join(import.meta.dirname, 'customize.sh'), 'utf8');
  const digest = createHash('sha256').update(JSON.stringify([SUITE, PACKAGES, DISK_SIZE, recipe]));
  const folder = join(cacheFolder, `guest-${digest.digest('hex').slice(0, 16)}`);
  if (!existsSync(folder)) await build(folder, recipe);
  return { kernel: join(folder, 'kernel'), initrd: join(folder, 'initrd'), disk: join(folder, 'disk.img') };
}

async function build(folder: string, recipe: string): Promise<void> {
  mkdirSync(cacheFolder, { recursive: true });
  const work = mkdtempSync(`${folder}.`);
  try {
    const tar = join(work, 'root.tar');
    await run('mmdebstrap', [
      '--quiet',
      '--variant=minbase',
      `--include=${PACKAGES.join(',')}`,
      '--aptopt=APT::Install-Recommends "false"',
      '--dpkgopt=force-unsafe-io',
      // The kernel's package would make an initrd that nobody boots, at half a minute.
      '--essential-hook=chroot "$1" dpkg-divert --quiet --local --rename --add /usr/sbin/update-initramfs',
      '--essential-hook=ln -s /bin/true "$1/usr/sbin/update-initramfs"',
      ...['doc', 'man', 'locale', 'i18n', 'info'].map((name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
      `--customize-hook=${recipe}`,
      SUITE,
      tar,
      ...debianSources(),
    ]);
    for (const name of ['kernel', 'initrd'])
      await run('sh', ['-c', 'tar -xOf "$1" "./boot/guest-$2" >"$3"', 'sh', tar, name, join(work, name)]);
    await makeDisk(tar, work);
    rmSync(tar);
    // Another run may have been faster; its image is as good.
    if (!existsSync(folder)) renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** mkfs.ext4 takes owners as it sees them, so an ordinary user unpacks in a user namespace where root's files are root's. */
async function makeDisk(tar: string, work: string): Promise<void> {
  const script = `set -e
    mkdir "$2/root" && tar -xpf "$1" -C "$2/root" --exclude='./dev/*' --exclude='./boot/*'
    truncate -s ${DISK_SIZE} "$2/disk.img" && "$3" -q -O ^has_journal -E lazy_itable_init=1 -d "$2/root" "$2/disk.img"
    rm -rf "$2/root"`;
  const shell = ['sh', '-c', script, 'sh', tar, work, findProgram('mkfs.ext4') ?? 'mkfs.ext4'];
  if (process.getuid!() === 0) await run('sh', shell.slice(1));
  else await run('unshare', ['--user', '--map-root-user', '--map-auto', '--', ...shell]);
}

/** The files that name this machine's Debian mirror; none where it is no Debian of the guest's suite: the default one. */
function debianSources(): string[] {
  const files = globSync([
    '/etc/apt/sources.list',
    '/etc/apt/sources.list.d/*.list',
    '/etc/apt/sources.list.d/*.sources',
  ]);
  return files.filter((file) =>
    new RegExp(`^(?:deb\\s.*\\s|Suites:\\s*)${SUITE}\\b`, 'm').test(readFileSync(file, 'utf8')),
  );
}

function run(program: string, args: readonly string[]): Promise<undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  child.on('error', reject);
  child.on('close', (status) => {
    if (status === 0) resolve(undefined);
    else reject(new Error(`${program} failed (${status}): ${errors.trim().split('\n').slice(-5).join('\n')}`));
  });
  return promise;
}
