/**
 * What a container with a single id needs besides the filter that answers for the ids that are not there
 * (oci/seccomp/emulate-ids.ts): apt fetches as the user _apt and, alone among package managers, looks whether it has become
 * that. It is told to fetch as root, by a file of the container's /dev and the variable that apt reads it by, so that
 * nothing of the image changes.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PlannedMount } from '../runtime/mount-stage.ts';
import { EngineError } from './engine-error.ts';

const NAME = 'apt.conf';
const TARGET = `/dev/trun-${NAME}`;

/** Makes the file in the container's folder. */
export function writeAptConfiguration(folder: string): void {
  writeFileSync(join(folder, NAME), 'APT::Sandbox::User "root";\n', { mode: 0o644 });
}

/** Where it goes. */
export function aptMount(folder: string): PlannedMount {
  const options = ['bind', 'rprivate', 'ro'];
  return { destination: TARGET, type: 'bind', source: join(folder, NAME), options, isFile: true };
}

/** The environment with apt's variable; a user's own stands. */
export function aptEnvironment(env: readonly string[] = []): string[] {
  return env.some((each) => each.startsWith('APT_CONFIG=')) ? [...env] : [...env, `APT_CONFIG=${TARGET}`];
}

/** Root's calls are emulated; to start as somebody else would be root all the same. Throws INVALID. */
export function checkMapped({ uid, gid }: { readonly uid: number; readonly gid: number }): void {
  if (uid === 0 && gid === 0) return;
  throw new EngineError(
    'INVALID',
    `Cannot become user ${uid}:${gid}: a single id is mapped, yours, to root (no line for you in /etc/subuid? see 'trun doctor')`,
  );
}
