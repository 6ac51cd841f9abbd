/**
 * A user and mount namespace of an unprivileged user, with a FUSE mount in it. Tests that run as root (which could show
 * nothing about rootless use) become `nobody` for that.
 */
import { execFileSync, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const nobody = 65534;
const isRoot = process.getuid?.() === 0;
const identity = isRoot ? { uid: nobody, gid: nobody } : {};
const folders = ['mnt', 'bare', 'lower', 'top', 'upper'] as const;

export interface Ended {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

export class Sandbox {
  /**
   * A folder of the user's own with `mnt`, the mount point; `bare`, to compare with; and for unions `lower`, `top` (another lower
   * layer) and `upper`.
   */
  readonly directory: string;
  #keeper: ChildProcess | undefined;
  #serving: number[] = [];
  #errors = '';

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), 'fuse-overlay-'));
    this.own(this.directory);
    for (const folder of folders) {
      mkdirSync(this.path(folder));
      this.own(this.path(folder));
    }
  }

  path(folder: (typeof folders)[number]): string {
    return join(this.directory, folder);
  }

  /** Gives a path to the user of the sandbox. */
  own(path: string): void {
    chmodSync(path, 0o755);
    if (isRoot) chownSync(path, nobody, nobody);
  }

  /** Runs a script as the user, before or beside the mount; `$D` is the folder. */
  prepare(script: string): string {
    const env = { ...process.env, D: this.directory, HOME: this.directory };
    return execFileSync('sh', ['-e', '-c', script], { ...identity, env, cwd: '/', encoding: 'utf8' });
  }

  /** Mounts and serves; arguments as serve.ts takes them besides `--fd`. */
  async start(...serverArguments: string[]): Promise<void> {
    this.#serving = [];
    const keeper = join(import.meta.dirname, 'keep-mount.ts');
    const argv = ['-Urm', process.execPath, keeper, this.path('mnt'), ...serverArguments];
    this.#keeper = spawn('unshare', argv, { ...identity, stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' });
    this.#keeper.stdout!.setEncoding('utf8').on('data', (text: string) => {
      for (const [, pid] of text.matchAll(/serving (\d+)/g)) this.#serving.push(Number(pid));
    });
    this.#keeper.stderr!.setEncoding('utf8').on('data', (text: string) => (this.#errors += text));
    await this.servers(1);
  }

  /** As `start`, of a union whose upper layer lies in `upper`. */
  startUnion(...serverArguments: string[]): Promise<void> {
    return this.start('--upper', this.path('upper'), ...serverArguments);
  }

  /** What the servers wrote to standard error. */
  get errors(): string {
    return this.#errors;
  }

  /** Process ids of the servers of this mount so far, once there are `count` of them. */
  async servers(count: number): Promise<readonly number[]> {
    for (let tries = 0; this.#serving.length < count; tries++) {
      if (this.#keeper!.exitCode !== null || tries > 3000) throw new Error(`No server: ${this.#errors}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return this.#serving;
  }

  /**
   * Runs a shell script in the namespaces, with the mount point as `$M` and the folder as `$D`. Gives its output, and throws what
   * it wrote to standard error.
   */
  run(script: string): string {
    const [program, ...argv] = this.#command(script) as [string, ...string[]];
    return execFileSync(program, argv, { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** As `run`, without waiting. */
  spawn(script: string, options: SpawnOptions = {}): ChildProcess {
    const [program, ...argv] = this.#command(script) as [string, ...string[]];
    return spawn(program, argv, options);
  }

  /** As `run`, in the background; the result comes when it has ended. */
  async runBeside(script: string): Promise<Ended> {
    const child = this.spawn(script, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (errors += text));
    const [code] = (await once(child, 'close')) as [number];
    return { code, output, errors };
  }

  /** Ends the mount and its server in good order; then runs `script`. */
  async unmount(script = ''): Promise<void> {
    const keeper = this.#keeper;
    if (keeper?.exitCode !== null) return;
    const exited = once(keeper, 'exit');
    this.run(`umount -l "$M"; ${script}`);
    await exited;
  }

  async end(): Promise<void> {
    try {
      // An overlay's work directory has no permissions at all: its owner could not remove what is in it.
      await this.unmount('chmod -R u+rwX "$D" 2>&1 || :');
    } catch {
      this.#keeper?.kill('SIGKILL');
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  #command(script: string): string[] {
    const enter = ['nsenter', '--preserve-credentials', '-U', '-m', '-t', String(this.#keeper!.pid)];
    const environment = ['env', `M=${this.path('mnt')}`, `D=${this.directory}`, `HOME=${this.directory}`];
    const become = isRoot ? ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'] : [];
    return [...become, ...enter, ...environment, 'sh', '-e', '-c', script];
  }
}
