/** Namespaces that a container does not have to itself, as `--ipc`, `--pid`, `--uts` and `--userns` say. */
import { closeSync } from 'node:fs';
import { idCount, type IdExtent, keptExtents, nestedExtents } from '../base/id-extents.ts';
import type { Holder } from '../holder/holder.ts';
import { INHERITED_FD } from '../monitor/plan-layout.ts';
import type { SharedNamespaces } from '../runtime/launch-input.ts';
import { CLONE } from '../sys/linux-constants.ts';
import { openProcess } from '../sys/signal-process.ts';
import { type Container, type ContainerRequest, findContainer } from './container.ts';
import type { EngineContext } from './context.ts';
import { EngineError } from './engine-error.ts';

/** Pidfds that a launch plan inherits. The plan knows them by the numbers that they have there. */
export class InheritedPidfds implements Disposable {
  readonly fds: number[] = [];
  readonly #numbers = new Map<string, number>();

  /** The number of a running container's first process. Throws CONFLICT where it does not run. */
  add({ config, state }: Container, what: string): number {
    const known = this.#numbers.get(config.id);
    if (known !== undefined) return known;
    const pidfd = state.status === 'running' && state.process !== undefined ? openProcess(state.process) : undefined;
    if (pidfd === undefined) {
      throw new EngineError('CONFLICT', `cannot join ${what} of a non running container: ${config.id}`);
    }
    const number = INHERITED_FD + this.fds.length;
    this.fds.push(pidfd);
    this.#numbers.set(config.id, number);
    return number;
  }

  [Symbol.dispose](): void {
    for (const fd of this.fds.splice(0)) closeSync(fd);
  }
}

/** What a start shares. Throws NOT_FOUND or CONFLICT for another container that is not there or does not run. */
export function sharedNamespaces(
  { paths }: EngineContext,
  { ipc = 'private', pid = 'private', uts = 'private' }: ContainerRequest,
  pidfds: InheritedPidfds,
): SharedNamespaces {
  const host =
    (ipc === 'host' ? CLONE.NEWIPC : 0) | (pid === 'host' ? CLONE.NEWPID : 0) | (uts === 'host' ? CLONE.NEWUTS : 0);
  let flags = 0;
  let pidfd: number | undefined;
  for (const [choice, flag, what] of [
    [ipc, CLONE.NEWIPC, 'IPC'],
    [pid, CLONE.NEWPID, 'PID'],
  ] as const) {
    if (typeof choice === 'string') continue;
    const other = pidfds.add(findContainer(paths, choice.container), what);
    // A user namespace owns both: there is one that a container can be in.
    if (pidfd !== undefined && pidfd !== other) {
      throw new EngineError('INVALID', 'conflicting options: --ipc and --pid of different containers');
    }
    pidfd = other;
    flags |= flag;
  }
  return { host, ...(pidfd === undefined ? {} : { join: { pidfd, flags } }) };
}

/** The ids of a container's own user namespace; undefined where it is in the user's. Throws UNSUPPORTED. */
export function containerMap(
  { map }: Holder,
  { userns = 'private' }: ContainerRequest,
): { uid: readonly IdExtent[]; gid: readonly IdExtent[] } | undefined {
  if (userns === 'host') return undefined;
  if (userns === 'private' || map.kind === 'identity') {
    return { uid: nestedExtents(map.uid), gid: nestedExtents(map.gid) };
  }
  const uid = keptExtents(idCount(map.uid), process.getuid!());
  const gid = keptExtents(idCount(map.gid), process.getgid!());
  if (uid === undefined || gid === undefined) {
    throw new EngineError(
      'UNSUPPORTED',
      `--userns keep-id takes more subordinate ids than you have: ${process.getuid!()} of them (see 'trun doctor')`,
    );
  }
  return { uid, gid };
}
