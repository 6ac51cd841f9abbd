/**
 * The agent: one process per user, the engine at work. Started by the first command that needs it, or by the monitor of
 * a container whose agent is gone; leaves when nothing has run for some minutes. It keeps nothing that is not on disk or
 * in the monitors' hands, so it may be killed at any moment.
 *
 * argv: the state's root. Fd 3: the agent's lock, held for life, taken by whoever started it.
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { adoptContainers } from '../engine/ending.ts';
import { restartDue } from '../engine/start.ts';
import { EngineContext } from '../engine/context.ts';
import { sweepVolumes } from '../engine/volumes.ts';
import { removeAllMounts, removeOrphanedMounts } from '../image-server/client.ts';
import { openState } from '../state/paths.ts';
import { Poller } from '../sys/poller.ts';
import { AgentServer } from './server.ts';
import { watchServers } from './watch-servers.ts';

const IDLE_MINUTES = 5;

const paths = openState(process.argv[2]);
const logFile = join(paths.run, 'agent.log');

function log(message: string): void {
  try {
    appendFileSync(logFile, `${new Date().toISOString()} ${message}\n`, { mode: 0o600 });
  } catch {
    // A full disk must not end the agent.
  }
}

process.on('uncaughtException', (error) => log(`uncaught: ${error.stack ?? error.message}`));
process.on('unhandledRejection', (error) =>
  log(`unhandled: ${error instanceof Error ? (error.stack ?? '') : String(error)}`),
);
process.title = 'trun-agent';

run().catch((error: unknown) => {
  log(`cannot begin: ${error instanceof Error ? (error.stack ?? '') : String(error)}`);
  // Deaf and with the lock in hand it would be in the way of the next one.
  process.exit(1);
});

async function run(): Promise<void> {
  const context = new EngineContext(paths, new Poller(), log);
  context.restarts.onDue = (id, letGo) => void restartDue(context, id, letGo);
  const server = new AgentServer(context);
  watchServers(context, server);
  await adoptContainers(context);
  await sweepVolumes(paths, () => context.holder());
  server.listen();
  leaveWhenIdle(context, server);
}

/** With nothing running, image mounts are but memory: their servers end with them. */
async function leave(context: EngineContext): Promise<void> {
  await removeAllMounts(context.paths);
  await context.close();
}

function leaveWhenIdle(context: EngineContext, server: AgentServer): void {
  let idleSince = Date.now();
  setInterval(() => {
    if (context.isBusy || server.busy) idleSince = Date.now();
    else removeOrphanedMounts(paths).catch((error: unknown) => log(`mounts: ${(error as Error).message}`));
    if (Date.now() - idleSince > IDLE_MINUTES * 60_000) {
      server.close();
      void leave(context).finally(() => process.exit(0));
    }
  }, 10_000).unref();
}
