/**
 * A user and mount namespace of an unprivileged user, with a FUSE mount in it. Tests that run as root (which could show
 * nothing about rootless use) become `nobody` for that.
 */
import { execFileSync, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { chownSync, mkdtempSync, mkdirSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const nobody = 65534;
const isRoot = process.getuid?.() === 0;
const identity = isRoot ? { uid: nobody, gid: nobody } : {};

export class Sandbox {
  /** A directory of the user's own; `mnt` in it is the mount point. */
  readonly directory: string;
  readonly mountpoint: string;
  #keeper: ChildProcess | undefined;
  #serving: number[] = [];
  #errors = '';

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), 'fuse-overlay-'));
    this.mountpoint = join(this.directory, 'mnt');
    mkdirSync(this.mountpoint);
    this.own(this.directory);
    this.own(this.mountpoint);
  }

  /** Gives a path to the user of the sandbox. */
  own(path: string): void {
    if (isRoot) chownSync(path, nobody, nobody);
  }

  /** Mounts and serves; arguments as serve.ts takes them. */
  async start(...serverArguments: string[]): Promise<void> {
    const keeper = join(import.meta.dirname, 'keep-mount.ts');
    const argv = ['-Urm', process.execPath, keeper, this.mountpoint, ...serverArguments];
    this.#keeper = spawn('unshare', argv, { ...identity, stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' });
    this.#keeper.stdout!.setEncoding('utf8').on('data', (text: string) => {
      for (const [, pid] of text.matchAll(/serving (\d+)/g)) this.#serving.push(Number(pid));
    });
    this.#keeper.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#errors += text));
    await this.servers(1);
  }

  /** What the servers wrote to standard error. */
  get errors(): string {
    return this.#errors;
  }

  /** Process ids of the servers so far, once there are `count` of them. */
  async servers(count: number): Promise<readonly number[]> {
    for (let tries = 0; this.#serving.length < count; tries++) {
      if (this.#keeper!.exitCode !== null || tries > 1000) throw new Error(`No server: ${this.#errors}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return this.#serving;
  }

  /** Runs a shell script in the namespaces, with the mount point as `$M` and the directory as `$D`; gives its output. */
  run(script: string): string {
    const [program, ...argv] = this.command(script) as [string, ...string[]];
    return execFileSync(program, argv, { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** As `run`, without waiting. */
  spawn(script: string, options: SpawnOptions = {}): ChildProcess {
    const [program, ...argv] = this.command(script) as [string, ...string[]];
    return spawn(program, argv, options);
  }

  command(script: string): string[] {
    const enter = ['nsenter', '--preserve-credentials', '-U', '-m', '-t', String(this.#keeper!.pid)];
    const environment = ['env', `M=${this.mountpoint}`, `D=${this.directory}`];
    const become = isRoot ? ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'] : [];
    return [...become, ...enter, ...environment, 'sh', '-c', script];
  }

  async end(): Promise<void> {
    const keeper = this.#keeper;
    if (keeper?.exitCode === null) {
      const exited = once(keeper, 'exit');
      try {
        // An overlay's work directory has no permissions at all: its owner could not remove what is in it.
        this.run('umount -l "$M"; chmod -R u+rwX "$D" 2>&1 || :');
      } catch {
        keeper.kill('SIGKILL');
      }
      await exited;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
