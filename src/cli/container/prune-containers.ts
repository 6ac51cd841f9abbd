/** `container prune`, which `system prune` does as well. */
import { errorCode } from '../../base/error-code.ts';
import type { Container } from '../../engine/container.ts';
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
      // Started or removed by somebody else meanwhile. Not by its class: a bundle of its own has its own classes.
      if (!['CONFLICT', 'NOT_FOUND'].includes(errorCode(error) ?? '')) throw error;
      continue;
    }
    removed.push(config.id);
    reclaimed += size;
  }
  return { removed, reclaimed };
}
