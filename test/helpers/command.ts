import { type ChildProcess, spawn } from 'node:child_process';
import { waitFor } from './wait-for.ts';

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Written to standard input, which is then closed. Absent: standard input is /dev/null. */
  readonly input?: string | Buffer;
  /** Keeps standard input open for `write` and `end`. */
  readonly interactive?: boolean;
  /** Milliseconds until the command is killed and its result becomes an error. */
  readonly timeout?: number;
}

export interface Result {
  /** The exit status; 128+n where signal n ended the command, as a shell says it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly milliseconds: number;
}

const signalNumbers: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGKILL: 9, SIGTERM: 15 };

/** A command under way: what it printed so far, and its end. */
export class RunningCommand {
  readonly process: ChildProcess;
  /** Settles when the command has ended and its output is closed. Rejects when its time is up. */
  readonly result: Promise<Result>;
  #stdout: Buffer[] = [];
  #stderr: Buffer[] = [];

  constructor(file: string, args: readonly string[], options: CommandOptions = {}) {
    const started = performance.now();
    const piped = options.interactive === true || options.input !== undefined;
    const child = spawn(file, args, {
      env: options.env ?? process.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdio: [piped ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    this.process = child;
    child.stdout!.on('data', (chunk: Buffer) => this.#stdout.push(chunk));
    child.stderr!.on('data', (chunk: Buffer) => this.#stderr.push(chunk));
    // The command may end before it has read everything.
    child.stdin?.on('error', () => undefined);
    if (options.input !== undefined) child.stdin!.end(options.input);
    const timeout = options.timeout ?? 60_000;
    this.result = new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        const words = [file, ...args].join(' ');
        reject(
          new Error(`${words}\ndid not end within ${timeout / 1000} s; it printed:\n${this.stdout}${this.stderr}`),
        );
        // A grandchild may hold the pipes open for ever.
        child.stdout!.destroy();
        child.stderr!.destroy();
      }, timeout);
      child.on('error', (error) => {
        clearTimeout(timer);
        reject(error);
      });
      child.on('close', (code, signal) => {
        clearTimeout(timer);
        const status = code ?? 128 + (signalNumbers[signal!] ?? 0);
        resolve({ status, stdout: this.stdout, stderr: this.stderr, milliseconds: performance.now() - started });
      });
    });
    // Whoever awaits `result` sees the rejection; a test that has failed before that must not end the run.
    this.result.catch(() => undefined);
  }

  get stdout(): string {
    return Buffer.concat(this.#stdout).toString();
  }

  get stderr(): string {
    return Buffer.concat(this.#stderr).toString();
  }

  write(text: string): void {
    this.process.stdin!.write(text);
  }

  /** Closes standard input. */
  end(): void {
    this.process.stdin!.end();
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.process.kill(signal);
  }

  /** Waits until standard output holds `text`. */
  async printed(text: string | RegExp, timeout = 30_000): Promise<void> {
    await waitFor(
      `${String(text)} in the output`,
      () => {
        if (typeof text === 'string' ? this.stdout.includes(text) : text.test(this.stdout)) return true;
        if (this.process.exitCode === null && this.process.signalCode === null) return false;
        throw new Error(`The command ended without printing ${String(text)}:\n${this.stdout}${this.stderr}`);
      },
      { timeout },
    );
  }
}

/** Runs a command to its end, whatever its exit status. */
export function run(file: string, args: readonly string[], options: CommandOptions = {}): Promise<Result> {
  return new RunningCommand(file, args, options).result;
}

/** Runs a command that has to succeed and returns its standard output without the last newline. */
export async function output(file: string, args: readonly string[], options: CommandOptions = {}): Promise<string> {
  const { status, stdout, stderr } = await run(file, args, options);
  if (status !== 0) throw new Error(`${[file, ...args].join(' ')} exited with ${status}:\n${stdout}${stderr}`);
  return stdout.replace(/\n$/, '');
}
