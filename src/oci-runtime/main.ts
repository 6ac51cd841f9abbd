/**
 * trun-oci: the command line of an OCI runtime, as runc and crun have it, for the engines above. Nothing of it stays:
 * a call reads and writes the container's folder below `--root`, and ends. Start-up is most of what a call costs, so
 * that a command loads its own modules only.
 */
import { readFileSync } from 'node:fs';
import { errorCode } from '../base/error-code.ts';
import { parseFlags } from '../cli/flags/parse-flags.ts';
import type { RuntimeCommand } from './command.ts';
import { GLOBAL_FLAGS, surroundings } from './global-flags.ts';
import { configureLog, log } from './log.ts';
import { print } from './print.ts';
import { RuntimeError } from './runtime-error.ts';
import packageJson from '../../package.json' with { type: 'json' };

const COMMANDS: Readonly<Record<string, () => Promise<RuntimeCommand>>> = {
  create: async () => (await import('./commands/create.ts')).create,
  start: async () => (await import('./commands/start.ts')).start,
  state: async () => (await import('./commands/state.ts')).state,
  kill: async () => (await import('./commands/kill.ts')).kill,
  delete: async () => (await import('./commands/delete.ts')).remove,
  run: async () => (await import('./commands/run.ts')).run,
  exec: async () => (await import('./commands/exec.ts')).exec,
  list: async () => (await import('./commands/list.ts')).list,
  ps: async () => (await import('./commands/ps.ts')).ps,
  pause: async () => (await import('./commands/pause.ts')).pauseContainer,
  resume: async () => (await import('./commands/pause.ts')).resumeContainer,
  update: async () => (await import('./commands/update.ts')).update,
  events: async () => (await import('./commands/events.ts')).events,
  features: async () => (await import('./commands/features.ts')).features,
  spec: async () => (await import('./commands/spec.ts')).spec,
  checkpoint: async () => (await import('./commands/checkpoint.ts')).checkpoint,
  restore: async () => (await import('./commands/checkpoint.ts')).restore,
};

async function main(words: readonly string[]): Promise<number> {
  const { values, args, help } = parseFlags(GLOBAL_FLAGS, words, false);
  const [name = 'help', ...rest] = args;
  configureLog({
    file: values.log,
    format: values['log-format'] === 'json' ? 'json' : 'text',
    debug: values.debug || values['log-level'] === 'debug',
  });
  if (values.version) {
    print(`trun-oci version ${packageJson.version}\nspec: 1.2.0`);
    return 0;
  }
  if (help || name === 'help') {
    const { globalHelp } = await import('./help.ts');
    print(await globalHelp(COMMANDS));
    return 0;
  }
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined) throw new RuntimeError(`No help topic for '${name}'`, 3);
  const command = await load();
  const call = parseFlags(command.flags, rest, command.interspersed);
  if (call.help) {
    const { commandHelp } = await import('./help.ts');
    print(commandHelp(command));
    return 0;
  }
  const [least, most] = command.args;
  if (call.args.length < least || call.args.length > most) {
    throw new RuntimeError(`"${name}" needs other arguments: trun-oci ${command.usage}`);
  }
  const where = surroundings(values, process.env, isHostRoot());
  try {
    return await command.run({ surroundings: where, args: call.args, flags: call.values });
  } catch (error) {
    if (!['create', 'run', 'exec'].includes(name)) throw error;
    throw new RuntimeError(`trun-oci ${name} failed: ${(error as Error).message}`, name === 'exec' ? 255 : 1);
  }
}

/** Root, and of no user namespace but the first. */
function isHostRoot(): boolean {
  if (process.geteuid!() !== 0) return false;
  try {
    return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'latin1'));
  } catch {
    return true;
  }
}

main(process.argv.slice(2)).then(
  (status) => process.exit(status),
  (error: unknown) => {
    const unexpected = !(error instanceof Error) || (error.name === 'TypeError' && errorCode(error) === undefined);
    log(
      'error',
      error instanceof Error ? (unexpected ? (error.stack ?? error.message) : error.message) : String(error),
    );
    process.exit(error instanceof RuntimeError ? error.status : 1);
  },
);
