/** Debian's podman with storage of a test's own, on the runtime under test. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CommandOptions, output, type Result, run } from './command.ts';
import { ociLauncher } from './oci-bundle.ts';

export class Podman {
  readonly #folder: string;
  readonly #env: NodeJS.ProcessEnv;

  /** @param folder short: podman makes sockets below it */
  constructor(folder: string) {
    this.#folder = folder;
    const home = join(folder, 'home');
    const runtime = join(folder, 'run');
    mkdirSync(home);
    mkdirSync(runtime, { mode: 0o700 });
    const config = join(folder, 'containers.conf');
    // As docs/oci-runtime.md has it; the ulimits are those that root may give everywhere, in a container, too.
    writeFileSync(
      config,
      `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "trun-oci"
runtime_supports_json = ["trun-oci"]
runtime_supports_nocgroup = ["trun-oci"]
[engine.runtimes]
trun-oci = ["${ociLauncher}"]
`,
    );
    this.#env = {
      PATH: `${process.env['PATH']}:/usr/sbin:/sbin`,
      HOME: home,
      XDG_RUNTIME_DIR: runtime,
      CONTAINERS_CONF: config,
      TRUN_TEST_RUN: process.env['TRUN_TEST_RUN'],
    };
  }

  get #global(): string[] {
    return [
      ...['--root', join(this.#folder, 'storage'), '--runroot', join(this.#folder, 'runroot')],
      ...['--storage-driver', 'vfs'],
    ];
  }

  call(args: readonly string[], options: CommandOptions = {}): Promise<Result> {
    return run('podman', [...this.#global, ...args], { ...options, env: this.#env });
  }

  /** A call that has to succeed; returns what it printed. */
  ok(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    return output('podman', [...this.#global, ...args], { ...options, env: this.#env });
  }

  /** Makes the image `busybox` of a root file system. */
  async import(rootfs: string): Promise<void> {
    const archive = join(this.#folder, 'image.tar');
    await output('tar', ['-C', rootfs, '-cf', archive, '.']);
    await this.ok(['import', '--quiet', archive, 'busybox']);
  }

  /** Ends and removes everything. */
  async discard(): Promise<void> {
    await this.call(['rm', '--all', '--force', '--time', '0']);
    await this.call(['pod', 'rm', '--all', '--force']);
    const remove = ['rm', '-rf', join(this.#folder, 'storage'), join(this.#folder, 'runroot')];
    if (process.getuid!() === 0) await run('rm', remove.slice(1));
    else await this.call(['unshare', ...remove]);
  }
}
