import { watch, type FSWatcher } from 'node:fs';
import type { LogReader } from './log-reader.ts';
import { type Chunk, isIndexName } from './log-segments.ts';

/** Some file systems (NFS) tell nobody of changes: look now and then. Oftener where there is nobody to tell. */
const POLL = 500;
const POLL_ALONE = 50;

/**
 * Hands every chunk that is there or comes to `take`, one after the other, until `stop` fires; what is there by then is
 * still handed over.
 */
export async function followLog(
  folder: string,
  log: LogReader,
  stop: AbortSignal,
  take: (chunk: Chunk) => Promise<void>,
): Promise<void> {
  let wake = Promise.withResolvers<void>();
  function awaken(): void {
    wake.resolve();
  }
  stop.addEventListener('abort', awaken);
  const watcher = watchOrNot(folder, awaken);
  const timer = setInterval(awaken, watcher === undefined ? POLL_ALONE : POLL);
  try {
    for (;;) {
      wake = Promise.withResolvers<void>();
      const last = stop.aborted;
      for (const chunk of log.read()) await take(chunk);
      if (last) return;
      await wake.promise;
    }
  } finally {
    watcher?.close();
    clearInterval(timer);
    stop.removeEventListener('abort', awaken);
  }
}

/** inotify(7) gives a user 128 instances as a rule, and each client takes one: EMFILE. Watches may run out, too: ENOSPC. */
function watchOrNot(folder: string, awaken: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, (_kind, name) => {
      if (name === null || isIndexName(name)) awaken();
    });
    watcher.on('error', () => undefined);
    return watcher;
  } catch {
    return undefined;
  }
}
