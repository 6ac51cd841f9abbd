import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { lastingProcess } from '../../base/install.ts';
import { tryLock } from '../../state/lock.ts';
import type { Digest } from '../digest.ts';
import type { StoreLayout } from '../store/layout.ts';
import { LazyImage } from './lazy-image.ts';

/** What the fetcher needs of an environment: credentials, their helpers, proxies and CAs. */
const INHERITED = /^(?:HOME|PATH|DOCKER_CONFIG|NODE_EXTRA_CA_CERTS|(?:https?|no|all)_proxy)$/i;

/** Has the rest of a lazy image fetched, where that is not being done. Does nothing for an image that is all there. */
export function ensureFetcher(layout: StoreLayout, manifest: Digest, env: NodeJS.ProcessEnv): void {
  const lazy = new LazyImage(layout, manifest);
  if (!lazy.exists) return;
  const lock = tryLock(lazy.lock);
  if (lock === undefined) return;
  try {
    const log = openSync(join(lazy.folder, 'log'), 'a', 0o600);
    // The lock is inherited: it is held from here on until the process' end, with no moment between.
    const [program, ...args] = lastingProcess('lazy', layout.root, manifest);
    const inherited = Object.fromEntries(Object.entries(env).filter(([name]) => INHERITED.test(name)));
    const child = spawn(program, args, {
      stdio: ['ignore', log, log, lock.fd],
      detached: true,
      cwd: '/',
      env: inherited,
    });
    child.on('error', () => undefined);
    child.unref();
    closeSync(log);
  } finally {
    lock[Symbol.dispose]();
  }
}
