import { existsSync, mkdirSync, mkdtempSync, readFileSync, readlinkSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type CommandOptions, type Result, RunningCommand, run } from './command.ts';
import { launcher } from './paths.ts';
import { type ProcessInfo, killProcessesOf, processesOf } from './processes.ts';
import { Terminal } from './terminal.ts';
import { waitFor } from './wait-for.ts';

/** Command-line words; a string is split at its spaces. */
export type Words = string | readonly string[];

function split(words: Words): readonly string[] {
  return typeof words === 'string' ? words.split(' ') : words;
}

/** trun's processes of a user, by their titles or by what Node runs in them. */
const programs = {
  agent: /^trun-agent\b|\bagent\.cjs\b/,
  'image server': /^trun-image-server\b|\bimage-server\.cjs\b/,
  'network process': /^trun-network\b|\bnetwork\.cjs\b/,
} as const;

export type Program = keyof typeof programs;

export const allPrograms = Object.keys(programs) as Program[];

interface TerminalSize {
  readonly columns?: number;
  readonly rows?: number;
}

/**
 * A user's trun of its own: state, run-time and home folder in a temporary folder, and on disposal everything that
 * belongs to it is ended and removed.
 */
export class Sandbox implements AsyncDisposable {
  /** Short, since unix sockets below it may have 107 bytes. */
  readonly folder: string;
  readonly root: string;
  readonly runtime: string;
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;

  constructor() {
    this.folder = mkdtempSync('/tmp/trun-');
    this.root = join(this.folder, 'root');
    this.runtime = join(this.folder, 'run');
    this.home = join(this.folder, 'home');
    mkdirSync(this.runtime, { mode: 0o700 });
    mkdirSync(this.home);
    this.env = {
      PATH: process.env['PATH'],
      LANG: 'C.UTF-8',
      TERM: 'xterm-256color',
      HOME: this.home,
      XDG_RUNTIME_DIR: this.runtime,
      TRUN_ROOT: this.root,
      // The mark by which the test runner finds what its tests left running.
      TRUN_TEST_RUN: process.env['TRUN_TEST_RUN'],
    };
  }

  /** Starts a trun command and returns at once. */
  start(words: Words, options: CommandOptions = {}): RunningCommand {
    return new RunningCommand(launcher, split(words), { ...options, env: { ...this.env, ...options.env } });
  }

  /** Runs a trun command to its end, whatever its exit status. */
  trun(words: Words, options: CommandOptions = {}): Promise<Result> {
    return this.start(words, options).result;
  }

  /** Runs a trun command that has to succeed, and returns its standard output without the last newline. */
  async ok(words: Words, options: CommandOptions = {}): Promise<string> {
    const { status, stdout, stderr } = await this.trun(words, options);
    if (status !== 0) throw new Error(`trun ${split(words).join(' ')} exited with ${status}:\n${stdout}${stderr}`);
    return stdout.replace(/\n$/, '');
  }

  /** `trun inspect --format TEMPLATE NAME` */
  inspect(name: string, template: string): Promise<string> {
    return this.ok(['inspect', '--format', template, name]);
  }

  /** Waits until the container's state is `status`, as in `running` or `exited`. */
  async becomes(name: string, status: string, timeout = 20_000): Promise<void> {
    await waitFor(
      `${name} to be ${status}`,
      async () => (await this.inspect(name, '{{.State.Status}}').catch(() => '')) === status,
      { timeout, interval: 150 },
    );
  }

  /** Opens a terminal with a trun command in it. */
  terminal(words: Words, size: TerminalSize = {}): Promise<Terminal> {
    return Terminal.open([launcher, ...split(words)], { ...size, folder: this.folder, env: this.env });
  }

  /** All processes that work for this sandbox. */
  processes(): ProcessInfo[] {
    return processesOf(this.folder);
  }

  /** Those that run the named programs of trun's. */
  servers(...names: readonly Program[]): ProcessInfo[] {
    return this.processes().filter(({ command }) => names.some((name) => programs[name].test(command)));
  }

  /** Those that live in a container. */
  containerProcesses(): ProcessInfo[] {
    const own = readlinkSync('/proc/self/ns/pid');
    return this.processes().filter(({ pidNamespace }) => pidNamespace !== undefined && pidNamespace !== own);
  }

  /** Files below the state and run-time folders that this user does not own, as lines of find(1). */
  async foreignFiles(): Promise<string> {
    const uid = String(process.getuid!());
    const folders = [this.root, this.runtime].filter((folder) => existsSync(folder));
    // The kernel makes overlayfs's work folders without any permission: find names them, and goes on.
    const { stdout } = await run('find', [...folders, '!', '-uid', uid, '-printf', '%u %y %p\\n']);
    return stdout;
  }

  async removeContainers(): Promise<void> {
    if (!existsSync(this.root)) return;
    const ids = (await this.ok('ps -a -q')).split('\n').filter((id) => id !== '');
    if (ids.length > 0) await this.ok(['rm', '-f', ...ids], { timeout: 120_000 });
  }

  /** Removes all containers, and throws where one leaves something behind. */
  async expectCleanRemoval(): Promise<void> {
    const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
    if (mounts.includes(this.folder)) throw new Error(`Mounts in the host's namespace: ${mounts}`);
    await this.removeContainers();
    await waitFor('the last container process to end', () => this.containerProcesses().length === 0).catch(() => {
      const left = this.containerProcesses().map(({ pid, command }) => `${pid} ${command}`);
      throw new Error(`Processes of removed containers are left:\n${left.join('\n')}`);
    });
    const foreign = existsSync(this.root) ? await this.foreignFiles() : '';
    if (foreign !== '') throw new Error(`Files of another owner are left:\n${foreign}`);
  }

  /** Ends and removes everything, in whatever state it is. */
  async discard(): Promise<void> {
    await killProcessesOf(this.folder);
    await rm(this.folder, { recursive: true, force: true }).catch(async () => {
      // Files of mapped ids can only be removed from within such a map.
      await run('unshare', ['--map-auto', '--map-root-user', 'rm', '-rf', this.folder]);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.expectCleanRemoval();
    } finally {
      await this.discard();
    }
  }
}
