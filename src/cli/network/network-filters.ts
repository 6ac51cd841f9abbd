import type { KnownNetwork } from '../../engine/inspect-networks.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { filterBoolean, filterPattern, type FilterTest, matchesLabel } from '../filters.ts';

export interface ListedNetwork {
  readonly network: KnownNetwork;
  /** A running container is on it. */
  readonly isUsed: boolean;
}

/** The filters of `network ls`. */
export const NETWORK_FILTERS: Readonly<Record<string, FilterTest<ListedNetwork>>> = {
  dangling: ({ network, isUsed }, value) => (isCustom(network) && !isUsed) === filterBoolean('dangling', value),
  driver: ({ network }, value) => network.driver === value,
  id: ({ network }, value) => network.id.startsWith(value),
  label: ({ network }, value) => matchesLabel(network.labels ?? {}, value),
  name: ({ network }, value) => filterPattern('name', value).test(network.name),
  scope: (_, value) => value === 'local',
  type: ({ network }, value) => {
    if (value !== 'custom' && value !== 'builtin') throw new InvalidInput(`invalid filter 'type=${value}'`);
    return isCustom(network) === (value === 'custom');
  },
};

/** Whether a user has made it. */
export function isCustom({ name }: KnownNetwork): boolean {
  return !['bridge', 'host', 'none'].includes(name);
}
