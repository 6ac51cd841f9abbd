/** `--link` on the default network, where containers have no names: lines of /etc/hosts, as Docker writes them. */
import { defaultNetwork } from '../network/stored-networks.ts';
import type { HostEntry } from '../network/etc-files.ts';
import type { StatePaths } from '../state/paths.ts';
import { findContainer } from './container.ts';
import { EngineError } from './engine-error.ts';

/** @param links alias -> container, which has to run @param name of the container that links to them */
export function linkedHosts(paths: StatePaths, name: string, links: Readonly<Record<string, string>>): HostEntry[] {
  return Object.entries(links).map(([alias, target]) => {
    const { config, state } = findContainer(paths, target);
    if (state.status !== 'running') {
      throw new EngineError('CONFLICT', `Cannot link to a non running container: /${config.name} AS /${name}/${alias}`);
    }
    const address = state.network?.endpoints[defaultNetwork]?.address ?? '';
    if (address === '') {
      throw new EngineError('CONFLICT', `Cannot link to /${config.name}, as it does not belong to the default network`);
    }
    return { address, names: [...new Set([alias, config.id.slice(0, 12), config.name])] };
  });
}
