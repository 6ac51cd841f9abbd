import { watch } from 'node:fs';
import { join } from 'node:path';
import type { Chunk, LogReader } from './log-store.ts';

/** Some file systems (NFS) tell nobody of changes: look now and then. */
const POLL = 500;

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
  const timer = setInterval(awaken, POLL);
  const watcher = watch(join(folder, 'index.log'), awaken);
  watcher.on('error', () => undefined);
  try {
    for (;;) {
      wake = Promise.withResolvers<void>();
      const last = stop.aborted;
      for (const chunk of log.read()) await take(chunk);
      if (last) return;
      await wake.promise;
    }
  } finally {
    watcher.close();
    clearInterval(timer);
    stop.removeEventListener('abort', awaken);
  }
}
