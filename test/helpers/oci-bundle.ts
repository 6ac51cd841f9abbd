/** Bundles for runtimes: a busybox root file system and a config.json that tests change as they need. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { type CommandOptions, output, type Result, RunningCommand } from './command.ts';
import { repository } from './paths.ts';

export const ociLauncher = join(repository, 'bin/trun-oci');

const APPLETS = [
  'cat',
  'cp',
  'echo',
  'false',
  'hostname',
  'id',
  'kill',
  'ls',
  'mkdir',
  'mount',
  'pwd',
  'readlink',
  'sh',
];
const MORE = ['sleep', 'stat', 'stty', 'test', 'touch', 'true', 'tty', 'ulimit', 'umask', 'uname', 'wc'];

/** The parts of a runtime spec that tests touch. */
export interface TestSpec {
  process: {
    terminal: boolean;
    args: string[];
    env: string[];
    cwd: string;
    user: { uid: number; gid: number };
    [more: string]: unknown;
  };
  root: { path: string; readonly: boolean };
  hostname: string;
  mounts: { destination: string; type?: string; source?: string; options?: string[] }[];
  hooks?: Record<string, { path: string; args?: string[]; env?: string[]; timeout?: number }[]>;
  annotations?: Record<string, string>;
  linux: { namespaces: { type: string; path?: string }[]; [more: string]: unknown };
}

/** A root file system of busybox's. */
export function makeRootfs(rootfs: string): void {
  const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path))!;
  for (const folder of ['bin', 'dev', 'etc', 'proc', 'sys', 'tmp'])
    mkdirSync(join(rootfs, folder), { recursive: true });
  copyFileSync(busybox, join(rootfs, 'bin/busybox'));
  for (const name of [...APPLETS, ...MORE]) symlinkSync('busybox', join(rootfs, 'bin', name));
}

/** trun-oci with a state folder and bundles of a test's own. */
export class OciRuntime {
  readonly folder: string;
  readonly root: string;
  readonly rootfs: string;
  #launches = 0;
  #pattern: string | undefined;

  constructor(folder: string) {
    this.folder = folder;
    this.root = join(folder, 'state');
    this.rootfs = join(folder, 'rootfs');
    makeRootfs(this.rootfs);
  }

  /** Writes a bundle for the program `args`, as `spec` makes it for this user, changed by `change`. */
  async bundle(
    name: string,
    args: readonly string[],
    change: (spec: TestSpec) => void = () => undefined,
  ): Promise<string> {
    const bundle = join(this.folder, name);
    mkdirSync(bundle, { recursive: true });
    const path = join(bundle, 'config.json');
    this.#pattern ??= await this.#writePattern();
    const spec = JSON.parse(this.#pattern) as TestSpec;
    spec.process.terminal = false;
    spec.process.args = [...args];
    spec.root = { path: this.rootfs, readonly: false };
    change(spec);
    writeFileSync(path, JSON.stringify(spec));
    return bundle;
  }

  /** What `spec` writes for this user. */
  async #writePattern(): Promise<string> {
    const rootless = process.getuid!() === 0 ? [] : ['--rootless'];
    await output(ociLauncher, ['spec', '--bundle', this.folder, ...rootless]);
    return readFileSync(join(this.folder, 'config.json'), 'utf8');
  }

  start(args: readonly string[], options: CommandOptions = {}): RunningCommand {
    return new RunningCommand(ociLauncher, ['--root', this.root, ...args], options);
  }

  call(args: readonly string[], options: CommandOptions = {}): Promise<Result> {
    return args.includes('create') || args.includes('--detach')
      ? this.#launch(args, options)
      : this.start(args, options).result;
  }

  /** A container that outlives the call has the call's stdout: a pipe would not end before it does. */
  async #launch(args: readonly string[], { env }: CommandOptions): Promise<Result> {
    const started = performance.now();
    const path = join(this.folder, `output-${this.#launches++}`);
    using files = new DisposableStack();
    const [out, err] = [`${path}.out`, `${path}.err`].map((file) => {
      const fd = openSync(file, 'w');
      files.defer(() => closeSync(fd));
      return fd;
    });
    const child = spawn(ociLauncher, ['--root', this.root, ...args], {
      env: env ?? process.env,
      stdio: ['ignore', out!, err!],
    });
    const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null];
    return {
      status: code ?? 128 + constants.signals[signal!],
      stdout: readFileSync(`${path}.out`, 'utf8'),
      stderr: readFileSync(`${path}.err`, 'utf8'),
      milliseconds: performance.now() - started,
    };
  }

  /** A call that has to succeed; returns what it printed. */
  async ok(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    const { status, stdout, stderr } = await this.call(args, options);
    if (status !== 0) throw new Error(`trun-oci ${args.join(' ')} exited with ${status}:\n${stdout}${stderr}`);
    return stdout.replace(/\n$/, '');
  }

  async status(id: string): Promise<string> {
    return (JSON.parse(await this.ok(['state', id])) as { status: string }).status;
  }

  async pid(id: string): Promise<number> {
    return (JSON.parse(await this.ok(['state', id])) as { pid: number }).pid;
  }

  /** What a container that runs `args` prints. */
  async output(name: string, args: readonly string[], change?: (spec: TestSpec) => void): Promise<string> {
    return this.ok(['run', '--bundle', await this.bundle(name, args, change), name]);
  }
}
