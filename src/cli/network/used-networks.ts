import { listContainers } from '../../engine/container.ts';
import type { StatePaths } from '../../state/paths.ts';

/** Names of the networks that running containers are on. */
export function usedNetworks(paths: StatePaths): Set<string> {
  return new Set(listContainers(paths).flatMap(({ state }) => Object.keys(state.network?.endpoints ?? {})));
}
