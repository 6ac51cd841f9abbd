/**
 * The run as root: prepares the machine as a desktop is (packages, devices, an ordinary user), then runs the tests as
 * that user on a copy that it can read, since root can't show rootless behaviour; then some of them as a user without
 * subordinate ids and as root.
 */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { killUser } from './leftovers.ts';
import { installMissing } from './packages.ts';
import type { Stage } from './phases.ts';
import { append } from './records.ts';
import { type TestUser, ensureUser } from './users.ts';

/** Device node -> major and minor number, from the kernel's admin-guide/devices.txt. */
const devices = { '/dev/fuse': ['10', '229'], '/dev/net/tun': ['10', '200'] } as const;

function openDevices(): void {
  for (const [path, [major, minor]] of Object.entries(devices)) {
    try {
      if (!existsSync(path)) {
        execFileSync('mkdir', ['-p', '/dev/net']);
        execFileSync('mknod', [path, 'c', major, minor]);
      }
      chmodSync(path, 0o666);
    } catch (error) {
      console.log(`Cannot make ${path} accessible: ${(error as Error).message}`);
    }
  }
}

/** Copies the checkout, without history and caches, into a folder of the user's. */
function copyCheckout(owner: TestUser): string {
  const folder = mkdtempSync('/var/tmp/trun-test-');
  chmodSync(folder, 0o755);
  const copy = join(folder, 'trun');
  const left = ['./.git', './coverage', './node_modules/.cache', './node_modules/.vite'].map(
    (each) => `--exclude=${each}`,
  );
  execFileSync('sh', ['-c', 'mkdir "$1" && shift && tar -cf - "$@" . | tar -xf - -C "$0"', copy, copy, ...left]);
  execFileSync('chown', ['-R', `${owner.uid}:${owner.gid}`, copy]);
  execFileSync('chmod', ['-R', 'a+rX', copy]);
  return copy;
}

interface Place {
  readonly copy: string;
  readonly records: string;
  /** Where the user keeps the fixture images; the others read them there. */
  readonly cache: string;
}

function runAs(user: TestUser | undefined, stage: Stage, place: Place, only: readonly string[]): Promise<void> {
  const home = user?.home ?? '/root';
  const bin = join(place.copy, 'node_modules/.bin');
  const env = {
    PATH: `${bin}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: home,
    USER: user?.name ?? 'root',
    LOGNAME: user?.name ?? 'root',
    SHELL: '/bin/sh',
    LANG: 'C.UTF-8',
    TRUN_TEST_CACHE: place.cache,
    TRUN_TEST_RUN: process.env['TRUN_TEST_RUN'],
    ...(user === undefined ? {} : { XDG_RUNTIME_DIR: user.runtime }),
  };
  const args = ['test/runner/main.ts', `--stage=${stage}`, `--records=${place.records}`, ...only];
  return new Promise((resolve) => {
    const ids = user === undefined ? {} : { uid: user.uid, gid: user.gid };
    const child = spawn(join(bin, 'node'), args, { cwd: place.copy, env, stdio: 'inherit', ...ids });
    child.on('exit', (code) => {
      if (code !== 0) append(place.records, { stage, phase: 'runner', seconds: 0, passed: false });
      resolve();
    });
  });
}

export async function runAsRoot(records: string, only: readonly string[]): Promise<void> {
  const started = performance.now();
  installMissing();
  openDevices();
  const user = ensureUser('trun-test', true);
  const single = ensureUser('trun-test-nosub', false);
  const copy = copyCheckout(user);
  try {
    execFileSync('chmod', ['0755', user.home]);
    execFileSync('chmod', ['0666', records]);
    const seconds = (performance.now() - started) / 1000;
    append(records, { stage: 'root', phase: 'preparation', seconds, passed: true });
    const place = { copy, records, cache: join(user.home, '.cache/trun-test') };
    await runAs(user, 'user', place, only);
    await runAs(single, 'nosub', place, only);
    await runAs(undefined, 'root', place, only);
  } finally {
    for (const { uid, name } of [user, single]) {
      for (const line of killUser(uid)) console.log(`left running by ${name}, and ended: ${line}`);
    }
    rmSync(join(copy, '..'), { recursive: true, force: true });
  }
}
