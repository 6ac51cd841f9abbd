/**
 * The one place where koffi comes in. Its own entry module costs 8-12 ms of start-up; the addon alone exports the same
 * functions and loads in one to three, so that is tried first.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { join } from 'node:path';
import { installRoot } from '../base/install.ts';
import type koffiModule from 'koffi';

type Koffi = typeof koffiModule;

const ADDON = `@koromix/koffi-linux-${process.arch}/linux_${process.arch}/koffi.node`;

function loadKoffi(): Koffi {
  // Where npm puts it, beside us or above: asking Node to look for it costs as much as loading it.
  for (const modules of [join(installRoot, 'node_modules'), join(installRoot, '..')]) {
    const addon = join(modules, ADDON);
    if (existsSync(addon)) return loadAddon(addon);
  }
  const require = createRequire(import.meta.filename);
  try {
    return loadAddon(require.resolve(ADDON));
  } catch {
    // A libc or an architecture of another name: koffi knows where its addon lies.
    return require('koffi') as Koffi;
  }
}

function loadAddon(path: string): Koffi {
  const loaded = { exports: {} };
  process.dlopen(loaded, path);
  return loaded.exports as Koffi;
}

export const koffi = loadKoffi();
const libc = koffi.load(null);

/** What may be passed to a native function: numbers, addresses, memory, and strings that become NUL-terminated. */
type NativeArgument = number | bigint | Uint8Array | string | null;

type NativeFunction = (...args: NativeArgument[]) => number;

type AsyncNativeFunction = (...args: [...NativeArgument[], (error: Error | null, result: number) => void]) => void;

const { EINTR } = constants.errno;

/**
 * A libc function by its C prototype, bound at the first call, for most programs use few of them. Returns what C returns;
 * a call that a signal has interrupted is made again (signal(7)).
 */
export function native(name: string, result: string, args: readonly string[]): NativeFunction {
  let bound: NativeFunction | undefined;
  return function call(...values: NativeArgument[]): number {
    bound ??= libc.func(name, result, [...args]) as NativeFunction;
    for (;;) {
      const value = bound(...values);
      if (value !== -1 || koffi.errno() !== EINTR) return value;
    }
  };
}

/** The same, run on a thread of koffi's pool; errno is not available, so use it for calls that do not fail. */
export function nativeAsync(name: string, result: string, args: readonly string[]): AsyncNativeFunction {
  return (libc.func(name, result, [...args]) as unknown as { async: AsyncNativeFunction }).async;
}

/** errno of the last native call of this thread. */
export function lastErrno(): number {
  return koffi.errno();
}
