/**
 * Replaces a killed image server while mounts are in use: whoever reads them waits for the next one. That is not running
 * containers alone: the first one is among them only when it has read its root file system.
 */
import type { EngineContext } from '../engine/context.ts';
import { ensureServer } from '../image-server/client.ts';
import { listMounts, serverOf } from '../image-server/mount-record.ts';
import type { AgentServer } from './server.ts';

const INTERVAL = 200;

export function watchServers(context: EngineContext, server: Pick<AgentServer, 'busy'>): void {
  setInterval(() => {
    if (!context.isBusy && !server.busy) return;
    try {
      for (const name of new Set(listMounts(context.paths).map(({ content }) => serverOf(content)))) {
        ensureServer(context.paths, name);
      }
    } catch (error) {
      context.log(`image server: ${(error as Error).message}`);
    }
  }, INTERVAL).unref();
}
