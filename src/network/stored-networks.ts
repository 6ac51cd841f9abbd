/** The networks of a user as they are on disk, with those that always are: what needs no agent to be read. */
import { statSync } from 'node:fs';
import type { StatePaths } from '../state/paths.ts';
import { NetworkError } from './network-error.ts';
import { type NetworkRecord, NetworkRecords } from './records.ts';

/** The network that containers join unless they are told otherwise. */
export const defaultNetwork = 'bridge';

/** A network as it is listed: `bridge` has no subnet before its first container, `host` and `none` never have one. */
export type KnownNetwork = Pick<NetworkRecord, 'name' | 'id' | 'created'> & {
  readonly driver: 'bridge' | 'host' | 'null';
} & Partial<Omit<NetworkRecord, 'driver'>>;

/** The id of a network that always is: the same for a state folder at any time. */
export function predefinedId(root: string, name: string): string {
  // Loading node:crypto costs every command that lists containers some milliseconds.
  return process.getBuiltinModule('node:crypto').createHash('sha256').update(`${name} ${root}`).digest('hex');
}

/** All networks, by name. */
export function listNetworks(paths: StatePaths): KnownNetwork[] {
  const stored: KnownNetwork[] = new NetworkRecords(paths.networks).networks();
  const created = statSync(paths.networks).birthtime.toISOString();
  const drivers = { bridge: 'bridge', host: 'host', none: 'null' } as const;
  for (const [name, driver] of Object.entries(drivers)) {
    if (!stored.some((network) => network.name === name))
      stored.push({ name, driver, id: predefinedId(paths.root, name), created });
  }
  return stored.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The network of that name, id, or beginning of an id. Throws NOT_FOUND or INVALID in Docker's words. */
export function findNetwork(paths: StatePaths, nameOrId: string): KnownNetwork {
  const all = listNetworks(paths);
  const exact = all.find(({ name, id }) => name === nameOrId || id === nameOrId);
  if (exact !== undefined) return exact;
  const matching = /^[\da-f]+$/.test(nameOrId) ? all.filter(({ id }) => id.startsWith(nameOrId)) : [];
  if (matching.length > 1)
    throw new NetworkError('INVALID', `network ${nameOrId} is ambiguous (${matching.length} matches found on ID)`);
  if (matching[0] === undefined) throw new NetworkError('NOT_FOUND', `network ${nameOrId} not found`);
  return matching[0];
}
