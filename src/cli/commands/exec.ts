import { execDetached, execInteractively } from '../../agent/client/exec.ts';
import type { ExecRequest } from '../../engine/requests.ts';
import { parseEnv, parseEnvFile } from '../../oci/options/env.ts';
import { ANY, type CommandContext, defineCommand } from '../command.ts';
import { consoleSize } from '../container/console-size.ts';
import { checkTerminal } from '../container/foreground.ts';
import { RawTerminal } from '../container/raw-terminal.ts';
import type { Flag, FlagValues } from '../flags/flag.ts';
import { decodeFlag } from '../flags/parse-flags.ts';
import { PROGRAM_FAILURES } from '../report-error.ts';
import { readOption } from '../flags/read-option.ts';

const flags = {
  detach: { kind: 'boolean', short: 'd', help: 'Detached mode: run command in the background' },
  'detach-keys': { kind: 'text', help: 'Override the key sequence for detaching a container' },
  env: { kind: 'list', short: 'e', help: 'Set environment variables' },
  'env-file': { kind: 'list', help: 'Read in a file of environment variables' },
  interactive: { kind: 'boolean', short: 'i', help: 'Keep STDIN open even if not attached' },
  privileged: { kind: 'boolean', help: 'Give extended privileges to the command' },
  tty: { kind: 'boolean', short: 't', help: 'Allocate a pseudo-TTY' },
  user: { kind: 'text', short: 'u', help: 'Username or UID (format: "<name|uid>[:<group|gid>]")' },
  workdir: { kind: 'text', short: 'w', help: 'Working directory inside the container' },
} as const satisfies Record<string, Flag>;

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER COMMAND [ARG...]',
  summary: 'Execute a command in a running container',
  flags,
  args: [2, ANY],
  interspersed: false,
  failures: PROGRAM_FAILURES,
  async run(context, values, args) {
    const request = execRequest(context, values, args);
    const paths = context.paths();
    if (values.detach) {
      await execDetached(paths, request);
      return 0;
    }
    const { interactive, tty, 'detach-keys': detachKeys } = values;
    checkTerminal(context, interactive, tty);
    const { stdin, stdout, stderr } = context;
    using _raw = interactive && tty ? new RawTerminal(stdin) : undefined;
    const outcome = await execInteractively(paths, request, {
      ...(interactive ? { stdin } : {}),
      stdout,
      stderr,
      ...(detachKeys === undefined ? {} : { detachKeys }),
    });
    return outcome === 'detached' ? 0 : outcome;
  },
});

function execRequest(
  context: CommandContext,
  values: FlagValues<typeof flags>,
  [container, ...args]: readonly string[],
): ExecRequest {
  const { env, cwd } = context;
  const files = values['env-file'].flatMap((file) => parseEnvFile(readOption(file, cwd), file, env));
  const { user, workdir, tty, privileged } = values;
  return {
    container: container!,
    args,
    env: [...files, ...values.env.map((text) => decodeFlag(flags, 'env', text, (each) => parseEnv(each, env)))],
    ...(user === undefined ? {} : { user }),
    ...(workdir === undefined ? {} : { workdir }),
    tty,
    ...consoleSize(tty, context),
    privileged,
  };
}
