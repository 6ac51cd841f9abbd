import { closeSync, readFileSync } from 'node:fs';
import type { FlagValues } from '../../cli/flags/flag.ts';
import { CAPABILITY_NAMES } from '../../oci/capabilities.ts';
import { parseJson } from '../../oci/json-shape.ts';
import type { Process } from '../../oci/runtime-spec.ts';
import { validateProcess } from '../../oci/validate-spec.ts';
import { runtimeCommand } from '../command.ts';
import { ContainerFolder } from '../container-record.ts';
import { fullStatus } from '../container-state.ts';
import { connectConsole } from '../launch/console.ts';
import { NO_PROCESS, readConfig } from '../launch/bundle.ts';
import { execInContainer } from '../launch/exec-in-container.ts';
import { RuntimeError } from '../runtime-error.ts';

const FLAGS = {
  'console-socket': { kind: 'text', help: 'unix socket to send the terminal’s master to' },
  cwd: { kind: 'text', help: 'working directory' },
  env: { kind: 'list', short: 'e', help: 'NAME=value' },
  tty: { kind: 'boolean', short: 't', help: 'give it a terminal' },
  user: { kind: 'text', short: 'u', help: 'UID[:GID]' },
  'additional-gids': { kind: 'list', short: 'g', help: 'further groups' },
  process: { kind: 'text', short: 'p', help: 'file with the runtime spec’s process' },
  detach: { kind: 'boolean', short: 'd', help: 'do not wait for it' },
  'pid-file': { kind: 'text', help: 'file to write its pid to' },
  'process-label': { kind: 'text', help: 'SELinux label' },
  apparmor: { kind: 'text', help: 'AppArmor profile' },
  'no-new-privs': { kind: 'boolean', help: 'set no_new_privs' },
  cap: { kind: 'list', short: 'c', help: 'a capability more' },
  'preserve-fds': { kind: 'integer', help: 'how many file descriptors from 3 on to hand on' },
  cgroup: {
    kind: 'list',
    help: 'a cgroup below the container’s to run in',
    unsupported: 'it runs in the container’s own',
  },
  'ignore-paused': { kind: 'boolean', help: 'go on with a paused container' },
  'no-subreaper': { kind: 'boolean', help: 'ignored', hidden: true },
} as const;

export const exec = runtimeCommand({
  usage: 'exec [--process FILE] ID [COMMAND…]',
  flags: FLAGS,
  interspersed: false,
  args: [1, Infinity],
  async run({ surroundings, args: [id = '', ...command], flags }) {
    const folder = new ContainerFolder(surroundings.root, id);
    const record = folder.read();
    const status = fullStatus(folder, record);
    if (status === 'stopped' || status === 'creating') throw new RuntimeError(`cannot exec in a ${status} container`);
    if (status === 'paused' && !flags['ignore-paused']) throw new RuntimeError('cannot exec in a paused container');
    const spec = readConfig(folder.configPath);
    const process = processOf(flags, command, spec.process ?? NO_PROCESS);
    if (process.args.length === 0) throw new RuntimeError('process args cannot be empty');
    const console = connectConsole(flags['console-socket']);
    if (process.terminal === true && flags.detach && console === undefined) {
      throw new RuntimeError('cannot allocate tty if runc will detach without setting console socket');
    }
    try {
      return await execInContainer(record, {
        process,
        linux: spec.linux ?? {},
        console,
        detach: flags.detach,
        pidFile: flags['pid-file'],
        preserveFds: flags['preserve-fds'] ?? 0,
        rootless: surroundings.rootless,
      });
    } finally {
      if (console !== undefined) closeSync(console);
    }
  },
});

/** `--process` says everything; without it, the container's own process is the pattern. */
function processOf(flags: FlagValues<typeof FLAGS>, command: readonly string[], pattern: Process): Process {
  const { process: file } = flags;
  if (file !== undefined) return validateProcess(parseJson(readFileSync(file, 'utf8'), file));
  const base = { ...pattern };
  delete base.consoleSize;
  const added = flags.cap.map((name) => (name.startsWith('CAP_') ? name : `CAP_${name.toUpperCase()}`));
  const unknown = added.find((name) => !(CAPABILITY_NAMES as readonly string[]).includes(name));
  if (unknown !== undefined) throw new RuntimeError(`unknown capability ${unknown}`);
  const { capabilities = {} } = base;
  const extended = Object.fromEntries(
    (['bounding', 'effective', 'permitted'] as const).map((set) => [set, [...(capabilities[set] ?? []), ...added]]),
  );
  return {
    ...base,
    args: [...command],
    terminal: flags.tty,
    cwd: flags.cwd ?? base.cwd,
    env: [...(base.env ?? []), ...flags.env],
    user: userOf(flags, base.user),
    ...(added.length === 0 ? {} : { capabilities: { ...capabilities, ...extended } }),
    ...(flags['no-new-privs'] ? { noNewPrivileges: true } : {}),
    ...(flags.apparmor === undefined ? {} : { apparmorProfile: flags.apparmor }),
    ...(flags['process-label'] === undefined ? {} : { selinuxLabel: flags['process-label'] }),
  };
}

function userOf(flags: FlagValues<typeof FLAGS>, base: Process['user']): Process['user'] {
  const groups = flags['additional-gids'].map(Number);
  const user = flags.user === undefined ? base : parseUser(flags.user);
  if (!groups.every((group) => Number.isInteger(group) && group >= 0))
    throw new RuntimeError('--additional-gids: not a group id');
  return groups.length === 0 ? user : { ...user, additionalGids: [...(user.additionalGids ?? []), ...groups] };
}

function parseUser(text: string): Process['user'] {
  const [, uid, gid = '0'] = /^(\d+)(?::(\d+))?$/.exec(text) ?? [];
  if (uid === undefined) throw new RuntimeError(`--user: must be UID or UID:GID, not '${text}'`);
  return { uid: Number(uid), gid: Number(gid) };
}
