import type { openRequest } from '../agent/client.ts';
import { defaultRoot, openState, type StatePaths } from '../state/paths.ts';
import type { CommandContext } from './command.ts';

/** The process as the program sees it; tests pretend. */
export interface Surroundings {
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly cwd: string;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  now(): Date;
  readonly openRequest: typeof openRequest;
}

/** The surroundings of this very process. Streams are opened when they are asked for: each costs a millisecond. */
export class ProcessSurroundings implements Surroundings {
  readonly env = process.env;
  readonly #outputs = new Set<NodeJS.WriteStream>();

  get cwd(): string {
    return process.cwd();
  }

  get stdin(): NodeJS.ReadStream {
    return process.stdin;
  }

  get stdout(): NodeJS.WriteStream {
    return this.#open(process.stdout);
  }

  get stderr(): NodeJS.WriteStream {
    return this.#open(process.stderr);
  }

  now(): Date {
    return new Date();
  }

  openRequest: typeof openRequest = async (...request) => (await import('../agent/client.ts')).openRequest(...request);

  /** Settles when what has been printed is with its readers. */
  async flush(): Promise<void> {
    for (const output of this.#outputs) await new Promise((resolve) => output.write('', resolve));
  }

  #open(output: NodeJS.WriteStream): NodeJS.WriteStream {
    if (this.#outputs.has(output)) return output;
    this.#outputs.add(output);
    // A reader that has gone (`trun logs … | head`) ends us quietly, as SIGPIPE ends others.
    return output.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 141 : 125));
  }
}

/** What a command gets. @param root of `--root`, relative to the working directory */
export function openContext(command: string, root: string | undefined, surroundings: Surroundings): CommandContext {
  const { env } = surroundings;
  let paths: StatePaths | undefined;
  const context: CommandContext = {
    command,
    env,
    get cwd() {
      return surroundings.cwd;
    },
    get stdin() {
      return surroundings.stdin;
    },
    get stdout() {
      return surroundings.stdout;
    },
    get stderr() {
      return surroundings.stderr;
    },
    get now() {
      return surroundings.now();
    },
    paths() {
      paths ??= openState(root === undefined ? defaultRoot(env) : defaultRoot({ TRUN_ROOT: root }), env);
      return paths;
    },
    async ask(method, params) {
      const answer = await context.open(method, params);
      await answer.close();
      return answer.result;
    },
    open: (method, params) => surroundings.openRequest(context.paths(), method, params),
    print: (line) => void surroundings.stdout.write(`${line}\n`),
    printLines(lines) {
      if (lines.length > 0) context.print(lines.join('\n'));
    },
    complain: (message) => void surroundings.stderr.write(`trun: ${message}\n`),
  };
  return context;
}
