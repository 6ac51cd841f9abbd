/** Replaces a killed image server while mounts are in use: whoever reads them waits for the next one. */
import type { EngineContext } from '../engine/context.ts';
import { ensureServer } from '../image-server/client.ts';
import { listMounts, serverOf } from '../image-server/mount-record.ts';

const INTERVAL = 200;

export function watchServers(context: EngineContext): void {
  setInterval(() => {
    if (context.running.size === 0) return;
    try {
      for (const server of new Set(listMounts(context.paths).map(({ content }) => serverOf(content)))) {
        ensureServer(context.paths, server);
      }
    } catch (error) {
      context.log(`image server: ${(error as Error).message}`);
    }
  }, INTERVAL).unref();
}
