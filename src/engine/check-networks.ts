/** What a new container asks of networks, checked before anything is made, in Docker's words. */
import type { StatePaths } from '../state/paths.ts';
import { isUserDefined } from './attachments.ts';
import { type ContainerRequest, findContainer, type NetworkAttachment } from './container.ts';
import { EngineError } from './engine-error.ts';
import { findNetwork } from './inspect-networks.ts';

/** The container's networks by their names; undefined where it shares another container's, which has to be there. */
export function checkNetworks(paths: StatePaths, request: ContainerRequest): NetworkAttachment[] | undefined {
  const { network, networks = [{ network }] } = request;
  if (network.startsWith('container:')) {
    findContainer(paths, network.slice('container:'.length));
    return undefined;
  }
  const found = networks.map((attachment) => ({ ...attachment, network: findNetwork(paths, attachment.network).name }));
  for (const [index, attachment] of found.entries()) {
    checkAttachment(paths, attachment);
    if (found.slice(0, index).some((other) => other.network === attachment.network)) {
      throw new EngineError('INVALID', `Network "${attachment.network}" is specified multiple times`);
    }
  }
  if (found.length > 1 && found.some(({ network: name }) => name === 'host' || name === 'none')) {
    throw new EngineError(
      'INVALID',
      'conflicting options: cannot attach both user-defined and non-user-defined network-modes',
    );
  }
  return found;
}

/** Throws where something is asked for that the network does not have. */
export function checkAttachment(paths: StatePaths, attachment: NetworkAttachment): void {
  const { network, aliases = [], address, address6, links = {} } = attachment;
  for (const target of Object.values(links)) {
    try {
      findContainer(paths, target);
    } catch (cause) {
      throw new EngineError('INVALID', `could not get container for ${target}: no such container`, { cause });
    }
  }
  if (isUserDefined(network)) return;
  if (aliases.length > 0) {
    throw new EngineError('INVALID', 'network-scoped alias is supported only for containers in user defined networks');
  }
  if (address !== undefined || address6 !== undefined) {
    throw new EngineError('INVALID', 'user specified IP address is supported on user defined networks only');
  }
}

/** What a new container's owner should know of it. */
export function createWarnings({ network, ports, publishAll }: ContainerRequest): string[] {
  if (network !== 'host' || (ports.length === 0 && !publishAll)) return [];
  return ['Published ports are discarded when using host network mode'];
}
