/**
 * Landlock (landlock(7), linux/landlock.h): a process gives up what it may do with files, for good. What it has open
 * already stays usable, and so do stat(2) and connect(2), which Landlock does not govern.
 */
import { closeSync, openSync } from 'node:fs';
import { errorCode } from '../base/error-code.ts';
import { native } from './koffi.ts';
import { O, PR } from './linux-constants.ts';
import { check } from './system-error.ts';

const createRuleset = native('syscall', 'long', ['long', 'void *', 'long', 'long']);
const addRule = native('syscall', 'long', ['long', 'long', 'long', 'void *', 'long']);
const restrictSelf = native('syscall', 'long', ['long', 'long', 'long']);
const prctl = native('prctl', 'int', ['int', 'ulong', 'ulong', 'ulong', 'ulong']);

// The same numbers on x86-64 and arm64 (asm-generic/unistd.h).
const SYS_LANDLOCK_CREATE_RULESET = 444;
const SYS_LANDLOCK_ADD_RULE = 445;
const SYS_LANDLOCK_RESTRICT_SELF = 446;
const LANDLOCK_CREATE_RULESET_VERSION = 1;
const LANDLOCK_RULE_PATH_BENEATH = 1;

/** struct landlock_ruleset_attr: u64 each. An older kernel takes a longer one whose rest is zero. */
const RULESET = { size: 24, handledFiles: 0, handledNetwork: 8, scoped: 16 } as const;
/** struct landlock_path_beneath_attr, packed: u64, s32. */
const PATH_BENEATH = { size: 12, allowed: 0, parent: 8 } as const;

/** LANDLOCK_ACCESS_FS_*: rights to what lies at and below a path. */
export const ACCESS = {
  WRITE_FILE: 1 << 1,
  READ_FILE: 1 << 2,
  READ_DIR: 1 << 3,
  REMOVE_FILE: 1 << 5,
  MAKE_REG: 1 << 8,
  MAKE_SOCK: 1 << 9,
} as const;

/** How many of LANDLOCK_ACCESS_FS_* an ABI knows, by version; from 5 on, all of 16. */
const FILE_RIGHTS = [0, 13, 14, 15, 15, 16] as const;
/** LANDLOCK_SCOPE_*, of ABI 6: abstract sockets of, and signals to, processes that are not restricted like us. */
const SCOPES = { since: 6, all: 0b11n } as const;

/** What may be done at `path`, and below it where it is a folder. A path that is not there is passed over. */
export interface FileRule {
  readonly path: string;
  /** Of ACCESS. For a file, rights to folders must not be among them. */
  readonly allowed: number;
}

/** The version of the kernel's Landlock; 0 where it has none, or has it switched off. */
export function landlockAbi(): number {
  return Math.max(createRuleset(SYS_LANDLOCK_CREATE_RULESET, null, 0, LANDLOCK_CREATE_RULESET_VERSION), 0);
}

/**
 * From here on the calling thread, and every thread and process that it starts, may do with files what the rules say and
 * nothing else, gains nothing by set-user-id programs (no_new_privs), and may not trace, or take fds from, processes
 * outside. Call it on the main thread before anything asynchronous: libuv's pool does not exist before that, and the
 * threads that do are V8's, which open nothing.
 *
 * Returns false where the kernel has no Landlock; no_new_privs is set there, too.
 */
export function restrictFiles(rules: readonly FileRule[]): boolean {
  check(prctl(PR.SET_NO_NEW_PRIVS, 1, 0, 0, 0), 'prctl');
  const abi = landlockAbi();
  if (abi === 0) return false;
  const attributes = Buffer.alloc(RULESET.size);
  attributes.writeBigUInt64LE((1n << BigInt(FILE_RIGHTS[abi] ?? FILE_RIGHTS.at(-1)!)) - 1n, RULESET.handledFiles);
  if (abi >= SCOPES.since) attributes.writeBigUInt64LE(SCOPES.all, RULESET.scoped);
  const ruleset = check(
    createRuleset(SYS_LANDLOCK_CREATE_RULESET, attributes, attributes.length, 0),
    'landlock_create_ruleset',
  );
  try {
    for (const rule of rules) allow(ruleset, rule);
    check(restrictSelf(SYS_LANDLOCK_RESTRICT_SELF, ruleset, 0), 'landlock_restrict_self');
    return true;
  } finally {
    closeSync(ruleset);
  }
}

function allow(ruleset: number, { path, allowed }: FileRule): void {
  const parent = openIfThere(path);
  if (parent === undefined) return;
  try {
    const attributes = Buffer.alloc(PATH_BENEATH.size);
    attributes.writeBigUInt64LE(BigInt(allowed), PATH_BENEATH.allowed);
    attributes.writeInt32LE(parent, PATH_BENEATH.parent);
    const added = addRule(SYS_LANDLOCK_ADD_RULE, ruleset, LANDLOCK_RULE_PATH_BENEATH, attributes, 0);
    check(added, 'landlock_add_rule', path);
  } finally {
    closeSync(parent);
  }
}

function openIfThere(path: string): number | undefined {
  try {
    return openSync(path, O.PATH | O.CLOEXEC);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
