import { listNetworks } from '../network/stored-networks.ts';
import type { StatePaths } from '../state/paths.ts';
import { recordEvent } from './event-log.ts';

/** Puts on record that a container has joined or left a network: while it runs, by its start, or by its end. */
export function recordMembership(
  { paths }: { readonly paths: StatePaths },
  container: string,
  network: string,
  action: 'connect' | 'disconnect',
): void {
  const found = listNetworks(paths).find(({ name }) => name === network);
  if (found === undefined) return;
  recordEvent(paths, 'network', action, found.id, { container, name: network, type: found.driver });
}
