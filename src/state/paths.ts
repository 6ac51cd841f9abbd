/** Where a user's state lies. One place for every path, so that no two parts of trun disagree. */
import { existsSync, mkdirSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** The folders of one user's trun. */
export interface StatePaths {
  /** Everything that has to survive a reboot. */
  readonly root: string;
  /** Sockets, locks and what is known of running processes: worthless after a reboot. */
  readonly run: string;
  /** OCI image layout, content store, merged trees. */
  readonly images: string;
  /** A folder for each container, by its id. */
  readonly containers: string;
  readonly volumes: string;
  readonly networks: string;
  /** Writable layers of builds under way, cached steps, cache mounts. */
  readonly builds: string;
}

/** The default of `--root`: `$TRUN_ROOT`, else `$XDG_CONFIG_HOME/trun`, else `~/.config/trun`. */
export function defaultRoot(env: NodeJS.ProcessEnv = process.env): string {
  if (env['TRUN_ROOT']) return resolve(env['TRUN_ROOT']);
  const config = env['XDG_CONFIG_HOME'];
  return join(config?.startsWith('/') === true ? config : join(env['HOME'] ?? homedir(), '.config'), 'trun');
}

/**
 * The paths under `root`, made where they are missing, all of mode 0700. The run folder is `$XDG_RUNTIME_DIR/trun`
 * (another root has its own beside it), or `run` under the root where there is no usable run-time folder.
 */
export function openState(root: string = defaultRoot(), env: NodeJS.ProcessEnv = process.env): StatePaths {
  try {
    makeFolder(root);
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new Error(`Cannot make the state folder ${root} (${reason}); choose another one by --root or TRUN_ROOT`, {
      cause,
    });
  }
  const real = realpathSync(root);
  const paths: StatePaths = {
    root: real,
    run: openRunFolder(real, env),
    images: join(real, 'images'),
    containers: join(real, 'containers'),
    volumes: join(real, 'volumes'),
    networks: join(real, 'networks'),
    builds: join(real, 'builds'),
  };
  for (const folder of Object.values(paths) as string[]) mkdirSync(folder, { recursive: true, mode: 0o700 });
  return paths;
}

function openRunFolder(root: string, env: NodeJS.ProcessEnv): string {
  const runtime = env['XDG_RUNTIME_DIR'];
  if (runtime?.startsWith('/') === true) {
    const isDefault = root === defaultRoot({ ...env, TRUN_ROOT: undefined });
    const name = isDefault ? 'trun' : `trun-${shortHash(root)}`;
    try {
      makeFolder(join(runtime, name));
      return realpathSync(join(runtime, name));
    } catch {
      // A run-time folder of another user (after su) or none at all: the state folder serves as well.
    }
  }
  const run = join(root, 'run');
  mkdirSync(run, { recursive: true, mode: 0o700 });
  return run;
}

/**
 * Makes a folder and those above it. Node's own recursive mkdir tries for ever where a file system lets nothing be made
 * and says ENOENT (procfs).
 */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  const above = dirname(path);
  if (above !== path) makeFolder(above);
  mkdirSync(path, { mode: 0o700 });
}

/** node:crypto costs every command some milliseconds, so it is loaded only by those that have another root. */
function shortHash(text: string): string {
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(text).digest('hex').slice(0, 12);
}
