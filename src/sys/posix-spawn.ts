/**
 * posix_spawn(3), for programs that must run to their first system call without an event loop of ours: Node's own
 * child_process costs some milliseconds of start-up, and closes over its streams.
 */
import { koffi, native } from './koffi.ts';
import { systemError } from './system-error.ts';

const posixSpawn = native('posix_spawn', 'int', ['void *', 'str', 'void *', 'void *', 'void *', 'void *']);
const actionsInit = native('posix_spawn_file_actions_init', 'int', ['void *']);
const actionsDestroy = native('posix_spawn_file_actions_destroy', 'int', ['void *']);
const addDup2 = native('posix_spawn_file_actions_adddup2', 'int', ['void *', 'int', 'int']);
const attributesInit = native('posix_spawnattr_init', 'int', ['void *']);
const setFlags = native('posix_spawnattr_setflags', 'int', ['void *', 'short']);
const setDefaults = native('posix_spawnattr_setsigdefault', 'int', ['void *', 'void *']);
const setMask = native('posix_spawnattr_setsigmask', 'int', ['void *', 'void *']);

/** Room for posix_spawn_file_actions_t, posix_spawnattr_t and sigset_t of any C library. */
const ACTIONS_SIZE = 128;
const ATTRIBUTES_SIZE = 512;
const SIGSET_SIZE = 128;
/** spawn.h: POSIX_SPAWN_SETSIGDEF, _SETSIGMASK. */
const SET_SIGNALS = 0x04 | 0x08;

export interface SpawnRequest {
  readonly path: string;
  readonly args: readonly string[];
  /** `[from, to]`, done in their order: `from` of ours becomes `to` of the program's. Others are as close-on-exec says. */
  readonly fds: readonly (readonly [from: number, to: number])[];
}

/** Starts a program with an empty environment and all signals at their default; returns its pid. */
export function posixSpawnProgram({ path, args, fds }: SpawnRequest): number {
  const actions = Buffer.alloc(ACTIONS_SIZE);
  const attributes = Buffer.alloc(ATTRIBUTES_SIZE);
  const pid = Buffer.alloc(4);
  const argv = stringArray(args);
  const envp = stringArray([]);
  succeed(actionsInit(actions), 'posix_spawn_file_actions_init');
  try {
    for (const [from, to] of fds) succeed(addDup2(actions, from, to), 'posix_spawn_file_actions_adddup2');
    succeed(attributesInit(attributes), 'posix_spawnattr_init');
    succeed(setFlags(attributes, SET_SIGNALS), 'posix_spawnattr_setflags');
    succeed(setDefaults(attributes, Buffer.alloc(SIGSET_SIZE, 0xff)), 'posix_spawnattr_setsigdefault');
    succeed(setMask(attributes, Buffer.alloc(SIGSET_SIZE)), 'posix_spawnattr_setsigmask');
    succeed(posixSpawn(pid, path, actions, attributes, argv.pointers, envp.pointers), 'posix_spawn', path);
    return pid.readInt32LE(0);
  } finally {
    actionsDestroy(actions);
    argv.keep();
  }
}

/** A NULL-terminated array of C strings; `keep` after the call, so that the collector leaves them alone until then. */
function stringArray(values: readonly string[]): { pointers: Buffer; keep: () => number } {
  const strings = values.map((value) => Buffer.from(`${value}\0`));
  const pointers = Buffer.alloc(8 * (values.length + 1));
  for (const [i, text] of strings.entries()) pointers.writeBigUInt64LE(koffi.address(text), 8 * i);
  return { pointers, keep: () => strings.length };
}

/** These functions return the errno itself. */
function succeed(errno: number, syscall: string, path?: string): void {
  if (errno !== 0) throw systemError(errno, syscall, path);
}
