import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { output } from '../helpers/command.ts';
import type { Sandbox } from '../helpers/sandbox.ts';

/** Rootless podman with crun, its default network, and storage of its own in a sandbox. */
export class PodmanPeer implements AsyncDisposable {
  readonly env: NodeJS.ProcessEnv;
  readonly #root: string;
  readonly #options: readonly string[];

  constructor(box: Sandbox) {
    this.#root = join(box.folder, 'podman');
    const run = join(box.folder, 'podman-run');
    mkdirSync(run);
    this.env = { ...box.env, TRUN_ROOT: undefined };
    this.#options = [
      ...['--root', this.#root, '--runroot', run],
      ...['--runtime', 'crun', '--cgroup-manager', 'cgroupfs', '--events-backend', 'file'],
    ];
  }

  command(...words: readonly string[]): readonly string[] {
    return ['podman', ...this.#options, ...words];
  }

  async ok(...words: readonly string[]): Promise<string> {
    const [file, ...args] = this.command(...words) as [string, ...string[]];
    return output(file, args, { env: this.env, timeout: 300_000 });
  }

  /** From a registry on this machine. */
  async pull(image: string): Promise<void> {
    await this.ok('pull', '--quiet', '--tls-verify=false', image);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.ok('rm', '--all', '--force', '--time', '0');
    await this.ok('unshare', 'rm', '-rf', this.#root);
  }
}
