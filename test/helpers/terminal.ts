import { existsSync, readFileSync } from 'node:fs';
import { output, run } from './command.ts';
import { waitFor } from './wait-for.ts';

interface TerminalOptions {
  /** Where tmux's socket lies. */
  readonly folder: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly columns?: number;
  readonly rows?: number;
}

let count = 0;

/** A real terminal: a window of a tmux of its own, in which a command runs. */
export class Terminal implements AsyncDisposable {
  readonly #socket: string;
  readonly #status: string;
  readonly #env: NodeJS.ProcessEnv;

  private constructor(socket: string, env: NodeJS.ProcessEnv) {
    this.#socket = socket;
    this.#status = `${socket}.status`;
    this.#env = env;
  }

  /** Starts `command`; the window stays when it has ended. */
  static async open(command: readonly string[], options: TerminalOptions): Promise<Terminal> {
    const terminal = new Terminal(`${options.folder}/tmux-${count++}`, options.env ?? process.env);
    const size = ['-x', String(options.columns ?? 80), '-y', String(options.rows ?? 24)];
    // The option has to be there before the command ends.
    const keep = ['set-option', '-g', 'remain-on-exit', 'on', ';'];
    // tmux now and then misses the status of a command that ends, so a shell around it writes it down.
    const recording = ['sh', '-c', 'status=$1; shift; "$@"; echo $? >"$status"', 'sh', terminal.#status];
    await terminal.#tmux(...keep, 'new-session', '-d', ...size, '--', ...recording, ...command);
    return terminal;
  }

  #tmux(...args: readonly string[]): Promise<string> {
    return output('tmux', ['-S', this.#socket, '-f', '/dev/null', ...args], { env: this.#env });
  }

  /** Types text as it is. */
  async type(text: string): Promise<void> {
    await this.#tmux('send-keys', '-l', text);
  }

  /** Presses keys by tmux's names: `Enter`, `C-c`, `C-p`. */
  async press(...keys: readonly string[]): Promise<void> {
    await this.#tmux('send-keys', ...keys);
  }

  /** Types a line and presses Enter. */
  async enter(line: string): Promise<void> {
    await this.type(line);
    await this.press('Enter');
  }

  /** What the window shows, scrolled-off lines included, long lines joined. */
  screen(): Promise<string> {
    return this.#tmux('capture-pane', '-p', '-J', '-S', '-');
  }

  /** Waits until the window shows `text` and returns what it shows. */
  async shows(text: string | RegExp, timeout = 30_000): Promise<string> {
    let screen = '';
    try {
      return await waitFor(
        `${String(text)} on the terminal`,
        async () => {
          screen = await this.screen();
          return (typeof text === 'string' ? screen.includes(text) : text.test(screen)) && screen;
        },
        { timeout, interval: 100 },
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}; it shows:\n${screen.trimEnd()}`, { cause: error });
    }
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux('resize-window', '-x', String(columns), '-y', String(rows));
  }

  /** Waits for the command's end and returns its exit status. */
  async exitStatus(timeout = 30_000): Promise<number> {
    const text = await waitFor(
      'the command on the terminal to end',
      () => existsSync(this.#status) && /^\d+\n$/.exec(readFileSync(this.#status, 'utf8'))?.[0],
      { timeout, interval: 100 },
    );
    return Number(text);
  }

  /** Closes the window under the command, as a terminal emulator that is closed does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await run('tmux', ['-S', this.#socket, 'kill-server'], { env: this.#env });
  }
}
