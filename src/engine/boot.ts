/** `system boot`: what comes back with the machine, or with the user's first login. */
import { listContainers } from './container.ts';
import type { EngineContext } from './context.ts';
import { restartsAtBoot } from './restart-policy.ts';
import { startContainer } from './start.ts';

export interface BootResult {
  /** Names, in the order of the starts: oldest container first. */
  readonly started: readonly string[];
  readonly failed: readonly { readonly name: string; readonly message: string }[];
}

/** Starts every container whose restart policy wants it to run. One that cannot be started does not keep the others. */
export async function bootContainers(context: EngineContext): Promise<BootResult> {
  const started: string[] = [];
  const failed: { name: string; message: string }[] = [];
  for (const { config, state } of listContainers(context.paths).reverse()) {
    // Never started: nobody wanted it to run yet.
    if (state.status === 'running' || state.status === 'created') continue;
    const { exitCode = 0, isStopped = false, restarts } = state;
    const outcome = { exitCode, isStopped, restarts: restarts?.count ?? 0 };
    if (state.status !== 'restarting' && !restartsAtBoot(config.request.restart, outcome)) continue;
    try {
      await startContainer(context, config.id);
      started.push(config.name);
    } catch (error) {
      failed.push({ name: config.name, message: (error as Error).message });
    }
  }
  return { started, failed };
}
