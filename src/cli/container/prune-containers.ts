/** `container prune`, which `system prune` does as well. */
import { AgentGone } from '../../agent/client.ts';
import type { Container } from '../../engine/container.ts';
import { EngineError } from '../../engine/engine-error.ts';
import { writableSize } from '../../engine/writable-size.ts';
import type { CommandContext } from '../command.ts';
import { matchesLabel, parseFilters } from '../filters.ts';
import { parseTimeBound } from '../log/time-bound.ts';
import { trueContainers } from './true-records.ts';

export interface Pruned {
  /** Ids or names of what has gone. */
  readonly removed: readonly string[];
  /** Bytes. */
  readonly reclaimed: number;
}

/** Removes all containers that do not run and pass the filters. One that has been started meanwhile stays. */
export async function pruneContainers(context: CommandContext, filters: readonly string[]): Promise<Pruned> {
  const passes = parseFilters<Container>(filters, {
    label: ({ config }, value) => matchesLabel(config.request.labels, value),
    'label!': ({ config }, value) => !matchesLabel(config.request.labels, value),
    until: ({ config }, value) => Date.parse(config.created) < parseTimeBound(value, context.now),
  });
  const removed: string[] = [];
  let reclaimed = 0;
  for (const container of await trueContainers(context)) {
    const { config, state } = container;
    if (!['created', 'exited'].includes(state.status) || !passes(container)) continue;
    const size = writableSize(container);
    try {
      await context.ask('remove', { container: config.id, force: false, volumes: false });
    } catch (error) {
      if (error instanceof AgentGone || !(error instanceof EngineError)) throw error;
      if (error.code !== 'CONFLICT' && error.code !== 'NOT_FOUND') throw error;
      continue;
    }
    removed.push(config.id);
    reclaimed += size;
  }
  return { removed, reclaimed };
}
