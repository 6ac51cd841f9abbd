/** Every command by name. Only the one that is called gets loaded. */
import type { Command } from './command.ts';

export interface CommandEntry {
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

export interface CommandGroup {
  readonly summary: string;
  readonly commands: Readonly<Record<string, CommandEntry>>;
}

function entry(summary: string, load: () => Promise<object>): CommandEntry {
  // Commands differ in the type of their flags, which only they themselves care for.
  return { summary, load: load as CommandEntry['load'] };
}

const attach = entry(
  'Attach local standard input, output, and error streams to a running container',
  () => import('./commands/attach.ts'),
);
const build = entry('Build an image from a Dockerfile', () => import('./commands/build.ts'));
const bundle = entry(
  'Write an image as an OCI bundle: a root file system and config.json',
  () => import('./commands/bundle.ts'),
);
const builderPrune = entry('Remove build cache', () => import('./commands/builder-prune.ts'));
const commit = entry("Create a new image from a container's changes", () => import('./commands/commit.ts'));
const cp = entry('Copy files/folders between a container and the local filesystem', () => import('./commands/cp.ts'));
const create = entry('Create a new container', () => import('./commands/create.ts'));
const diff = entry(
  "Inspect changes to files or directories on a container's filesystem",
  () => import('./commands/diff.ts'),
);
const events = entry('Get real time events from the engine', () => import('./commands/events.ts'));
const exec = entry('Execute a command in a running container', () => import('./commands/exec.ts'));
const exportContainer = entry("Export a container's filesystem as a tar archive", () => import('./commands/export.ts'));
const history = entry('Show the history of an image', () => import('./commands/history.ts'));
const images = entry('List images', () => import('./commands/images.ts'));
const importImage = entry(
  'Import the contents from a tarball to create a filesystem image',
  () => import('./commands/import.ts'),
);
const info = entry('Display system-wide information', () => import('./commands/info.ts'));
const kill = entry('Kill one or more running containers', () => import('./commands/kill.ts'));
const load = entry('Load an image from a tar archive or STDIN', () => import('./commands/load.ts'));
const login = entry('Authenticate to a registry', () => import('./commands/login.ts'));
const logout = entry('Log out from a registry', () => import('./commands/logout.ts'));
const logs = entry('Fetch the logs of a container', () => import('./commands/logs.ts'));
const pause = entry('Pause all processes within one or more containers', () => import('./commands/pause.ts'));
const port = entry('List port mappings or a specific mapping for the container', () => import('./commands/port.ts'));
const ps = entry('List containers', () => import('./commands/ps.ts'));
const pull = entry('Download an image from a registry', () => import('./commands/pull.ts'));
const push = entry('Upload an image to a registry', () => import('./commands/push.ts'));
const rename = entry('Rename a container', () => import('./commands/rename.ts'));
const restart = entry('Restart one or more containers', () => import('./commands/restart.ts'));
const rm = entry('Remove one or more containers', () => import('./commands/rm.ts'));
const rmi = entry('Remove one or more images', () => import('./commands/rmi.ts'));
const run = entry('Create and run a new container from an image', () => import('./commands/run.ts'));
const save = entry(
  'Save one or more images to a tar archive (streamed to STDOUT by default)',
  () => import('./commands/save.ts'),
);
const search = entry('Search a registry for images', () => import('./commands/search.ts'));
const start = entry('Start one or more stopped containers', () => import('./commands/start.ts'));
const stats = entry(
  'Display a live stream of container(s) resource usage statistics',
  () => import('./commands/stats.ts'),
);
const stop = entry('Stop one or more running containers', () => import('./commands/stop.ts'));
const tag = entry('Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE', () => import('./commands/tag.ts'));
const top = entry('Display the running processes of a container', () => import('./commands/top.ts'));
const unpause = entry('Unpause all processes within one or more containers', () => import('./commands/unpause.ts'));
const update = entry('Update configuration of one or more containers', () => import('./commands/update.ts'));
const wait = entry(
  'Block until one or more containers stop, then print their exit codes',
  () => import('./commands/wait.ts'),
);

/** What `trun --help` lists first. */
export const COMMON_COMMANDS: Readonly<Record<string, CommandEntry>> = {
  run,
  exec,
  ps,
  build,
  pull,
  images,
  version: entry('Show the trun version information', () => import('./commands/version.ts')),
  info,
  doctor: entry(
    'Check what trun needs from this host, and say how to mend what is missing',
    () => import('./commands/doctor.ts'),
  ),
};

export const OTHER_COMMANDS: Readonly<Record<string, CommandEntry>> = {
  attach,
  bundle,
  commit,
  cp,
  create,
  diff,
  events,
  export: exportContainer,
  history,
  import: importImage,
  inspect: entry(
    'Return low-level information on containers, images, networks and volumes',
    () => import('./commands/inspect.ts'),
  ),
  kill,
  load,
  login,
  logout,
  logs,
  pause,
  port,
  push,
  rename,
  restart,
  rm,
  rmi,
  save,
  search,
  start,
  stats,
  stop,
  tag,
  top,
  unpause,
  update,
  wait,
};

export const COMMAND_GROUPS: Readonly<Record<string, CommandGroup>> = {
  container: {
    summary: 'Manage containers',
    commands: {
      attach,
      commit,
      cp,
      create,
      diff,
      exec,
      export: exportContainer,
      inspect: entry(
        'Display detailed information on one or more containers',
        () => import('./commands/container-inspect.ts'),
      ),
      kill,
      logs,
      ls: ps,
      pause,
      port,
      prune: entry('Remove all stopped containers', () => import('./commands/container-prune.ts')),
      rename,
      restart,
      rm,
      run,
      start,
      stats,
      stop,
      top,
      unpause,
      update,
      wait,
    },
  },
  image: {
    summary: 'Manage images',
    commands: {
      build,
      bundle,
      history,
      import: importImage,
      inspect: entry('Display detailed information on one or more images', () => import('./commands/image-inspect.ts')),
      load,
      ls: images,
      prune: entry('Remove unused images', () => import('./commands/image-prune.ts')),
      pull,
      push,
      rm: rmi,
      save,
      tag,
      verify: entry(
        'Compare images with their digests, and mend what is damaged',
        () => import('./commands/image-verify.ts'),
      ),
    },
  },
  network: {
    summary: 'Manage networks',
    commands: {
      capture: entry(
        "Record a running container's packets for tcpdump or wireshark",
        () => import('./commands/network-capture.ts'),
      ),
      connect: entry('Connect a container to a network', () => import('./commands/network-connect.ts')),
      create: entry('Create a network', () => import('./commands/network-create.ts')),
      disconnect: entry('Disconnect a container from a network', () => import('./commands/network-disconnect.ts')),
      inspect: entry(
        'Display detailed information on one or more networks',
        () => import('./commands/network-inspect.ts'),
      ),
      limit: entry("Show or change what a container's traffic is held to", () => import('./commands/network-limit.ts')),
      audit: entry(
        'Show which connections of a container its --egress rules have decided about',
        () => import('./commands/network-audit.ts'),
      ),
      ls: entry('List networks', () => import('./commands/network-ls.ts')),
      top: entry('Show the connections and counters of networks', () => import('./commands/network-top.ts')),
      prune: entry('Remove all unused networks', () => import('./commands/network-prune.ts')),
      rm: entry('Remove one or more networks', () => import('./commands/network-rm.ts')),
    },
  },
  system: {
    summary: 'Manage trun',
    commands: {
      boot: entry(
        'Start the containers whose restart policy wants them to run',
        () => import('./commands/system-boot.ts'),
      ),
      df: entry('Show disk usage', () => import('./commands/system-df.ts')),
      'disable-boot': entry('Undo "trun system enable-boot"', () => import('./commands/system-disable-boot.ts')),
      'enable-boot': entry(
        'Have containers with a restart policy come back after a reboot',
        () => import('./commands/system-enable-boot.ts'),
      ),
      events,
      info,
      prune: entry('Remove unused data', () => import('./commands/system-prune.ts')),
    },
  },
  builder: { summary: 'Manage builds', commands: { build, prune: builderPrune } },
  buildx: { summary: 'Manage builds', commands: { build, prune: builderPrune } },
  volume: {
    summary: 'Manage volumes',
    commands: {
      create: entry('Create a volume', () => import('./commands/volume-create.ts')),
      inspect: entry(
        'Display detailed information on one or more volumes',
        () => import('./commands/volume-inspect.ts'),
      ),
      ls: entry('List volumes', () => import('./commands/volume-ls.ts')),
      rm: entry('Remove one or more volumes', () => import('./commands/volume-rm.ts')),
    },
  },
};

/** Second names within groups. */
const ALIASES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  buildx: { b: 'build' },
  container: { list: 'ls', ps: 'ls', remove: 'rm' },
  image: { list: 'ls', remove: 'rm' },
  network: { list: 'ls', remove: 'rm' },
  volume: { list: 'ls', remove: 'rm' },
};

/** The command of that name outside groups. */
export function findCommand(name: string): CommandEntry | undefined {
  return own(COMMON_COMMANDS, name) ?? own(OTHER_COMMANDS, name);
}

export function findGroup(name: string): CommandGroup | undefined {
  return own(COMMAND_GROUPS, name);
}

/** The command of that name or alias in a group. */
export function findInGroup(group: string, name: string): CommandEntry | undefined {
  const aliases = own(ALIASES, group) ?? {};
  return own(COMMAND_GROUPS[group]!.commands, own(aliases, name) ?? name);
}

/** Names come from the user: `constructor` is none of ours. */
function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
