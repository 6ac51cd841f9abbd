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
  readonly now: () => Date;
  readonly openRequest: typeof openRequest;
}

/** The surroundings of this very process. Streams are opened when they are asked for. */
export const processSurroundings: Surroundings = {
  env: process.env,
  get cwd() {
    return process.cwd();
  },
  get stdin() {
    return process.stdin;
  },
  get stdout() {
    return process.stdout;
  },
  get stderr() {
    return process.stderr;
  },
  now: () => new Date(),
  openRequest: async (...request) => (await import('../agent/client.ts')).openRequest(...request),
};

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
