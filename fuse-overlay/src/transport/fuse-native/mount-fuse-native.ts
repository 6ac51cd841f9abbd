/**
 * The second transport: libfuse 2, through the package fuse-native, in place of /dev/fuse.
 *
 * **Theory.** fuse-native asks by path and one callback at a time; a session speaks the kernel's protocol. So each of its questions
 * becomes the requests that the kernel would have sent: a LOOKUP for each name on the way, the request itself, and FORGET. The
 * session, its counters and its checks are the same, and so is the file system.
 *
 * **Limits** are those of fuse-native: no READDIRPLUS, fallocate, lseek, copy_file_range, locks or O_TMPFILE; times in
 * milliseconds; names in UTF-8; all requests come as this process's user; nobody can take over. Its callbacks come on Node's own
 * loop, so the session has to be run by `EventLoop.runShared`.
 */
import { createRequire } from 'node:module';
import { pathOperations, type Operations } from './operations.ts';
import { pack, PathClient } from './path-client.ts';
import { RequestQueue } from './request-queue.ts';
import type { Transport } from '../transport.ts';

export interface MountFuseNativeOptions {
  readonly allowOther?: boolean;
  /** The kernel checks permissions by mode and owner. Default true. */
  readonly defaultPermissions?: boolean;
}

export interface FuseNativeMount {
  /** For `serve`, before anything is mounted. */
  readonly transport: Transport;
  /** Resolves when the mount is there. The session has to run. */
  mount(): Promise<void>;
  /** Takes the mount away and ends the session. */
  unmount(): Promise<void>;
}

/** What is used of the package. */
interface FuseNative {
  mount(callback: (error: Error | null) => void): void;
  unmount(callback: (error: Error | null) => void): void;
}
type FuseNativeClass = new (target: string, operations: Operations, options: object) => FuseNative;

/** Throws one clear error where the package or its library is missing. */
export function mountFuseNative(target: string, options: MountFuseNativeOptions = {}): FuseNativeMount {
  const Native = load();
  const queue = new RequestQueue();
  const { defaultPermissions = true, allowOther = false } = options;
  const fuse = new Native(target, pathOperations(new PathClient(queue)), {
    defaultPermissions,
    allowOther,
    timeout: false,
  });
  return {
    transport: queue,
    async mount() {
      // As the kernel would, of version 7.31, with no features of its own.
      const { error } = await queue.request('INIT', 0, pack('initIn', { major: 7, minor: 31, max_readahead: 131_072 }));
      if (error < 0)
        throw new Error(`Cannot mount ${target} by fuse-native: the file system refused to begin (${error})`);
      await called(`mount ${target} by fuse-native`, (callback) => fuse.mount(callback));
    },
    async unmount() {
      await called(`unmount ${target}`, (callback) => fuse.unmount(callback));
      queue.end();
    },
  };
}

function called(action: string, call: (callback: (error: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    call((error) => {
      if (error) reject(new Error(`Cannot ${action}: ${error.message}`, { cause: error }));
      else resolve();
    });
  });
}

function load(): FuseNativeClass {
  try {
    return createRequire(import.meta.url)('fuse-native') as FuseNativeClass;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const mend =
      code === 'MODULE_NOT_FOUND'
        ? 'the package is not installed (npm install fuse-native@2.2.6)'
        : `${message.split('\n')[0]} (it needs libfuse 2, on Debian the package libfuse2)`;
    throw Object.assign(new Error(`Cannot use fuse-native: ${mend}`, { cause: error }), { code: 'ENOTSUP' });
  }
}
