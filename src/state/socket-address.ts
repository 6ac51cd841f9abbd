import { closeSync, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Longest `sun_path` of unix(7), without its NUL. */
const MAX_PATH = 107;

/**
 * A path by which connect(2) and bind(2) reach a unix socket, however deep its folder: a long one goes through an open
 * folder's entry in /proc/self/fd. Dispose of it once connected.
 */
export function socketAddress(path: string): { readonly path: string } & Disposable {
  if (Buffer.byteLength(path) <= MAX_PATH) return { path, [Symbol.dispose]: () => undefined };
  const folder = openSync(dirname(path), 'r');
  return { path: `/proc/self/fd/${folder}/${basename(path)}`, [Symbol.dispose]: () => closeSync(folder) };
}
