import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { lastingProcess } from '../../base/install.ts';
import { tryLock } from '../../state/lock.ts';
import type { StatePaths } from '../../state/paths.ts';

/** Starts an agent unless one runs or is about to: whoever holds the lock is one, or has started one. */
export function startAgent(paths: StatePaths): void {
  const lock = tryLock(join(paths.run, 'agent.lock'));
  if (lock === undefined) return;
  const log = openSync(join(paths.run, 'agent.log'), 'a', 0o600);
  try {
    const [program, ...args] = lastingProcess('agent', paths.root);
    const child = spawn(program, args, {
      stdio: ['ignore', log, log, lock.fd],
      detached: true,
      cwd: '/',
    });
    child.on('error', () => undefined);
    child.unref();
  } finally {
    closeSync(log);
    lock[Symbol.dispose]();
  }
}
