import { type Container, shownStatus } from '../../engine/container.ts';
import { shownHealth } from '../../engine/health.ts';
import type { KnownNetwork } from '../../engine/inspect-networks.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { networkNames } from './container-row.ts';
import { type FilterTest, filterPattern, matchesLabel } from '../filters.ts';

const STATES = ['created', 'restarting', 'running', 'removing', 'paused', 'exited', 'dead'];

const HEALTH = ['starting', 'healthy', 'unhealthy', 'none'];

/** The filters of `ps`. @param networks those that there are */
export function containerFilters(
  networks: readonly Pick<KnownNetwork, 'name' | 'id'>[],
): Readonly<Record<string, FilterTest<Container>>> {
  return { ...RECORD_FILTERS, network: ({ config }, value) => isOnNetwork(networkNames(config), networks, value) };
}

/** Those that a container's own record answers. */
const RECORD_FILTERS: Readonly<Record<string, FilterTest<Container>>> = {
  ancestor: ({ config }, value) => isImage(config, value),
  exited: ({ state }, value) => {
    if (!/^\d+$/.test(value)) throw new InvalidInput(`invalid filter 'exited=${value}'`);
    return state.status === 'exited' && state.exitCode === Number(value);
  },
  health: (container, value) => {
    if (!HEALTH.includes(value)) {
      throw new InvalidInput(`invalid filter 'health=${value}': it has to be one of ${HEALTH.join(', ')}`);
    }
    return (shownHealth(container) ?? 'none') === value;
  },
  id: ({ config }, value) => config.id.startsWith(value),
  label: ({ config }, value) => matchesLabel(config.request.labels, value),
  name: ({ config }, value) => filterPattern('name', value.replace(/^\^?\//, '^')).test(config.name),
  status: ({ state }, value) => {
    if (!STATES.includes(value)) {
      throw new InvalidInput(`invalid filter 'status=${value}': it has to be one of ${STATES.join(', ')}`);
    }
    return shownStatus(state) === value;
  },
  volume: ({ config }, value) =>
    Object.entries(config.volumes).flat().includes(value) ||
    config.request.mounts.some((mount) => mount.target === value || (mount.type === 'bind' && mount.source === value)),
};

/** By the network's name, or the beginning of its id. */
function isOnNetwork(
  names: readonly string[],
  networks: readonly Pick<KnownNetwork, 'name' | 'id'>[],
  value: string,
): boolean {
  if (names.includes(value)) return true;
  return value !== '' && networks.some(({ name, id }) => names.includes(name) && id.startsWith(value));
}

/** By the name it was run with, tag or not, or by its id. */
function isImage({ request, image }: Container['config'], value: string): boolean {
  const hex = image?.id.replace('sha256:', '') ?? '';
  return (
    request.image === value ||
    request.image === `${value}:latest` ||
    `${request.image}:latest` === value ||
    (/^(sha256:)?[0-9a-f]{6,64}$/.test(value) && hex.startsWith(value.replace('sha256:', '')))
  );
}
