/**
 * A user and mount namespace of an unprivileged user with a union mounted in it. Tests that run as root (which could show
 * nothing about rootless use) become `nobody` for that.
 */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const nobody = 65534;
const isRoot = process.getuid?.() === 0;
const identity = isRoot ? { uid: nobody, gid: nobody } : {};
const folders = ['mnt', 'bare', 'lower', 'top', 'upper'] as const;

export class UnionSandbox {
  /** A folder of the user's own with `mnt`, `bare` (to compare with), `lower`, `top` (another lower layer) and `upper`. */
  readonly directory: string;
  #keeper: ChildProcess | undefined;
  #serving: number[] = [];
  #errors = '';

  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), 'union-'));
    for (const path of [this.directory, ...folders.map((folder) => this.path(folder))]) {
      mkdirSync(path, { recursive: true });
      chmodSync(path, 0o755);
      if (isRoot) chownSync(path, nobody, nobody);
    }
  }

  path(folder: (typeof folders)[number]): string {
    return join(this.directory, folder);
  }

  /** Runs a script as the user, before or beside the mount; `$D` is the folder. */
  prepare(script: string): string {
    const env = { ...process.env, D: this.directory, HOME: this.directory };
    return execFileSync('sh', ['-c', script], { ...identity, env, cwd: '/', encoding: 'utf8' });
  }

  /** Mounts; arguments as serve-union.ts takes them besides `--fd` and `--upper`. */
  async start(...serverArguments: string[]): Promise<void> {
    this.#serving = [];
    const keeper = join(import.meta.dirname, 'union-mount.ts');
    const argv = [
      '-Urm',
      process.execPath,
      keeper,
      this.path('mnt'),
      '--upper',
      this.path('upper'),
      ...serverArguments,
    ];
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

  /** Process ids of the servers of this mount so far, once there are `count` of them. */
  async servers(count: number): Promise<readonly number[]> {
    for (let tries = 0; this.#serving.length < count; tries++) {
      if (this.#keeper!.exitCode !== null || tries > 3000) throw new Error(`No server: ${this.#errors}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return this.#serving;
  }

  /** Runs a shell script in the namespaces; `$M` is the mount point. Gives its output, and throws what it wrote to standard error. */
  run(script: string): string {
    const [program, ...argv] = this.#command(script);
    return execFileSync(program!, argv, { encoding: 'utf8', maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'pipe'] });
  }

  /** As `run`, in the background; the result comes when it has ended. */
  async spawn(script: string): Promise<{ code: number; output: string; errors: string }> {
    const [program, ...argv] = this.#command(script);
    const child = spawn(program!, argv, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
    const [code] = (await once(child, 'close')) as [number];
    return { code, output, errors };
  }

  #command(script: string): string[] {
    const enter = ['nsenter', '--preserve-credentials', '-U', '-m', '-t', String(this.#keeper!.pid)];
    const environment = ['env', `M=${this.path('mnt')}`, `D=${this.directory}`, `HOME=${this.directory}`];
    const become = isRoot ? ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'] : [];
    return [...become, ...enter, ...environment, 'sh', '-e', '-c', script];
  }

  /** Ends the mount and its server in good order. */
  async unmount(): Promise<void> {
    const keeper = this.#keeper;
    if (keeper?.exitCode !== null) return;
    const exited = once(keeper, 'exit');
    this.run('umount -l "$M"');
    await exited;
  }

  async end(): Promise<void> {
    try {
      await this.unmount();
    } catch {
      this.#keeper?.kill('SIGKILL');
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}
