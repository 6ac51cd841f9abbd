/**
 * The corpus of build-corpus.ts built by trun and by buildah: the same file tree, attribute by attribute. Both trees are
 * looked at through buildah's eyes: ours goes to it as an OCI archive.
 *
 * Runs as: user
 */
import { mkdirSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { makeContext } from '../helpers/build-context.ts';
import { output } from '../helpers/command.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { corpus } from './build-corpus.ts';

const isWhole = process.env['TRUN_TEST_CORPUS'] === 'all';
const chosen = corpus.filter(({ isShort }) => isWhole || isShort === true);
const bed = useSandbox({ images: isWhole ? ['busybox', 'debian'] : ['busybox'], requires: ['buildah'] });

/** Times are told of what is older than the build; whatever the build makes has its own. */
const DESCRIBE = String.raw`find . -mindepth 1 ! -type d -printf '%P|%y|%m|%U:%G|%s|%l|%n|%T@\n' -o -mindepth 1 -printf '%P|%y|%m|%U:%G|||||\n'`;

class Buildah {
  readonly #folder = mkdtempSync('/tmp/trun-buildah-');
  readonly #options: string[];
  readonly #env: NodeJS.ProcessEnv;

  constructor() {
    const runtime = join(this.#folder, 'run');
    mkdirSync(runtime, { mode: 0o700 });
    this.#options = ['--root', join(this.#folder, 'root'), '--runroot', runtime, '--storage-driver', 'overlay'];
    this.#env = { ...process.env, HOME: this.#folder, XDG_RUNTIME_DIR: runtime, TMPDIR: this.#folder };
  }

  run(command: string, ...words: readonly string[]): Promise<string> {
    return output('buildah', [...this.#options, command, ...words], { env: this.#env, timeout: 120_000 });
  }

  /** Every file of an image, a line each. */
  async describe(image: string, began: number): Promise<string[]> {
    const container = (await this.run('from', '--pull=never', image)).trim();
    try {
      const script = `cd "$(buildah ${this.#options.join(' ')} mount ${container})" && ${DESCRIBE}`;
      const text = await this.run('unshare', 'sh', '-c', script);
      return text
        .trim()
        .split('\n')
        .filter((line) => !/^(?:dev|proc|sys|run|etc\/(?:hosts|resolv\.conf|hostname))(?:\/|\|)/.test(line))
        .map((line) => line.replace(/\|(\d+)\.\d+$/, (_, time: string) => (Number(time) < began ? `|${time}` : '|new')))
        .sort();
    } finally {
      await this.run('rm', container);
    }
  }

  async close(): Promise<void> {
    await this.run('unshare', 'rm', '-rf', join(this.#folder, 'root')).catch(() => undefined);
    await rm(this.#folder, { recursive: true, force: true });
  }
}

let buildah: Buildah | undefined;

afterAll(() => buildah?.close());

test.each(chosen)('$name', { timeout: 180_000 }, async ({ dockerfile, files, name }) => {
  buildah ??= new Buildah();
  const { box } = bed;
  const text = dockerfile
    .trim()
    .split('\n')
    .map((line) => line.trim())
    .join('\n')
    .replaceAll('@busybox', bed.image('busybox'))
    .replaceAll('@debian', isWhole ? bed.image('debian') : '');
  const context = makeContext(box.folder, { ...files, Dockerfile: text });
  const tag = `corpus-${corpus.findIndex((entry) => entry.name === name)}`;
  const began = Math.floor(Date.now() / 1000);

  await box.ok(['build', '-q', '-o', `type=oci,dest=${context}.tar`, context], { timeout: 120_000 });
  const ours = (await buildah.run('pull', '-q', `oci-archive:${context}.tar`)).trim();
  await buildah.run('build', '--isolation', 'chroot', '--tls-verify=false', '--layers', '-q', '-t', tag, context);

  const [mine, theirs] = [await buildah.describe(ours, began), await buildah.describe(tag, began)];
  expect(theirs.length).toBeGreaterThan(2);
  expect(mine).toEqual(theirs);
});
