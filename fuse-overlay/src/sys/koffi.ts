/**
 * Loads koffi, the foreign function interface through which every system call of this library goes.
 *
 * Requiring `koffi` itself costs 8-12 ms, requiring the platform package that it would end up with 2-3 ms; so that is tried
 * first, and koffi's own loader is the fallback.
 */
import { createRequire } from 'node:module';
import type koffiModule from 'koffi';

type Koffi = typeof koffiModule;

function load(): Koffi {
  const require = createRequire(import.meta.filename);
  try {
    const fromKoffi = createRequire(require.resolve('koffi'));
    return fromKoffi(`@koromix/koffi-linux-${process.arch}`) as Koffi;
  } catch {
    return require('koffi') as Koffi;
  }
}

export const koffi: Koffi = load();
