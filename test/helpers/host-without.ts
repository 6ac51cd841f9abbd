/**
 * Hosts that lack something, made by an ordinary user: mounts in a user namespace hide what is to be missing, and another user
 * namespace gives the user's own id back, with nothing beside it (user_namespaces(7)). Processes that a command leaves behind
 * stay in there, so a sandbox is used on one host alone.
 */
import { type Result, run } from './command.ts';
import { launcher } from './paths.ts';
import type { Sandbox } from './sandbox.ts';

/** Shell lines, run as root of the outer user namespace; `$BOX` is the sandbox's folder. */
type Preparation = string;

/** /dev with what every host has, and of `devices` (paths below /dev) those named. */
export function devices(...names: readonly string[]): Preparation {
  return `
    mkdir -p $BOX/dev; mount -t tmpfs -o mode=755 dev $BOX/dev; mkdir $BOX/dev/pts $BOX/dev/shm $BOX/dev/net
    for f in null zero full random urandom tty ${names.join(' ')}; do touch $BOX/dev/$f; mount --bind /dev/$f $BOX/dev/$f; done
    ln -s pts/ptmx $BOX/dev/ptmx
    mount --rbind /dev/pts $BOX/dev/pts
    mount --rbind $BOX/dev /dev`;
}

/** No line in /etc/subuid: a user namespace within another cannot use one, and there is nothing to say about it. */
export const noSubordinateIds: Preparation = `
  for f in /etc/subuid /etc/subgid; do if [ -e $f ]; then mount --bind /dev/null $f; fi; done`;

interface HostOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** The script stays root of a user namespace with all ids of the user, as in somebody else's container. */
  readonly asRoot?: boolean;
}

/** Runs a shell script on such a host; `$0` is trun's launcher. */
export function onHost(
  box: Sandbox,
  preparations: readonly Preparation[],
  script: string,
  { env = {}, asRoot = false }: HostOptions = {},
): Promise<Result> {
  const ids = asRoot ? ['--map-root-user', '--map-auto'] : ['--map-root-user'];
  const again = asRoot ? '' : `unshare --user --map-user=${process.getuid!()} --map-group=${process.getgid!()}`;
  const lines = [...preparations, `exec ${again} sh -c "$1" "$2"`].join('\n');
  return run('unshare', ['--user', '--mount', ...ids, 'sh', '-ec', lines, 'sh', script, launcher], {
    env: { ...box.env, BOX: box.folder, ...env },
  });
}
