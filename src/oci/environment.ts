/** moby's DefaultPathEnv: where an image that sets no PATH finds its programs. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

export interface EnvironmentSources {
  image: readonly string[];
  /** From `--env-file` and `--env`, in that order: the last one of a name counts, a bare name unsets the variable. */
  user: readonly string[];
  hostname: string;
  tty: boolean;
  /** Home directory of the container's user. */
  home: string;
}

/** The container's environment as `NAME=value`: ours, over it the image's, over that the user's. */
export function mergeEnvironment({ image, user, hostname, tty, home }: EnvironmentSources): string[] {
  const variables = new Map([
    ['PATH', DEFAULT_PATH],
    ['HOSTNAME', hostname],
  ]);
  if (tty) variables.set('TERM', 'xterm');
  overlay(variables, image);
  overlay(variables, user);
  if (!variables.has('HOME')) variables.set('HOME', home);
  return [...variables].map(([name, value]) => `${name}=${value}`);
}

/** The environment of a process that joins a container: the container's, over it what `exec --env` names. */
export function execEnvironment(container: readonly string[], user: readonly string[], tty: boolean): string[] {
  const variables = new Map<string, string>(tty ? [['TERM', 'xterm']] : []);
  overlay(variables, container);
  overlay(variables, user);
  return [...variables].map(([name, value]) => `${name}=${value}`);
}

function overlay(variables: Map<string, string>, assignments: readonly string[]): void {
  for (const assignment of assignments) {
    const equals = assignment.indexOf('=');
    if (equals < 0) variables.delete(assignment);
    else variables.set(assignment.slice(0, equals), assignment.slice(equals + 1));
  }
}
