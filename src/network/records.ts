/** What is kept on disk of networks and of the containers on them: `networks/NAME.json`, `networks/NAME.d/CONTAINER.json`. */
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TrafficRules } from '../base/traffic.ts';
import { readJson, writeJson } from '../state/atomic-file.ts';
import type { OwnTap } from './container-link.ts';
import type { BoundPort } from './port-mapping.ts';

/** A network with addresses of its own. Addresses are dotted quads, subnets `10.88.0.0/16`. */
export interface NetworkRecord {
  readonly name: string;
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly driver: 'bridge';
  readonly subnet: string;
  readonly gateway: string;
  /** With IPv6: as `fd00::/64`, `fd00::1`. */
  readonly subnet6?: string;
  readonly gateway6?: string;
  /** Part of the subnet from which containers get addresses that they have not asked for. */
  readonly ipRange?: string;
  /** Addresses that no container gets, by a name of the user's. */
  readonly auxAddresses?: Readonly<Record<string, string>>;
  /** IP MTU in bytes. */
  readonly mtu: number;
  /** Whether it has no way to the outside. */
  readonly internal?: boolean;
  readonly attachable?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  /** What `--opt` said. */
  readonly options?: Readonly<Record<string, string>>;
  /** ISO 8601. */
  readonly created: string;
}

/** A container's place on a network. It is kept from the first start until the container is removed. */
export interface EndpointRecord {
  readonly container: string;
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly address: string;
  readonly address6?: string;
  readonly mac: string;
  /** Names by which other containers of a user-defined network find it. */
  readonly names: readonly string[];
  /** Names by which this container alone finds others: `--link`. */
  readonly links?: Readonly<Record<string, string>>;
  readonly traffic?: TrafficRules;
  /** Who is asked for it about other names than containers', instead of the host's resolvers. */
  readonly resolvers?: readonly string[];
  /** Its interface in the container; absent: eth0. */
  readonly interface?: string;
  /** Whether its default route goes here; absent: yes. */
  readonly isGateway?: boolean;
  /** What was bound at the latest start, so that a new network process binds the same. */
  readonly ports: readonly BoundPort[];
  /** Its TAP, on a host without bridges. */
  readonly tap?: OwnTap;
}

const suffix = '.json';

/** The records of all networks. They are written by the user's one agent, and may be read by anybody of the user. */
export class NetworkRecords {
  readonly #folder: string;

  /** @param folder of the state, as `StatePaths.networks` */
  constructor(folder: string) {
    this.#folder = folder;
  }

  network(name: string): NetworkRecord | undefined {
    return readJson<NetworkRecord>(this.#networkPath(name));
  }

  networks(): NetworkRecord[] {
    return names(this.#folder).flatMap((name) => this.network(name) ?? []);
  }

  /** Durable when it returns. */
  saveNetwork(record: NetworkRecord): void {
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    writeJson(this.#networkPath(record.name), record);
  }

  /** The network's endpoints. What a power failure left half written holds no address any more. */
  endpoints(network: string): EndpointRecord[] {
    return names(this.#endpointFolder(network)).flatMap((container) => {
      try {
        return readJson<EndpointRecord>(this.#endpointPath(network, container)) ?? [];
      } catch {
        this.removeEndpoint(network, container);
        return [];
      }
    });
  }

  /**
   * Replaces the record as a whole, so that a kill at any moment leaves the old or the new one. Unlike a network it is
   * not flushed to the disk: nothing runs on it after a power failure, and a flush costs more than a container's start.
   */
  saveEndpoint(network: string, record: EndpointRecord): void {
    const path = this.#endpointPath(network, record.container);
    mkdirSync(this.#endpointFolder(network), { recursive: true, mode: 0o700 });
    writeFileSync(`${path}.tmp`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
  }

  removeEndpoint(network: string, container: string): void {
    rmSync(this.#endpointPath(network, container), { force: true });
  }

  /** Forgets a network and all its endpoints. */
  removeNetwork(name: string): void {
    rmSync(this.#networkPath(name), { force: true });
    rmSync(this.#endpointFolder(name), { recursive: true, force: true });
  }

  #networkPath(name: string): string {
    return join(this.#folder, `${name}${suffix}`);
  }

  #endpointPath(network: string, container: string): string {
    return join(this.#endpointFolder(network), `${container}${suffix}`);
  }

  /** No network's record has this ending, whatever its name. */
  #endpointFolder(network: string): string {
    return join(this.#folder, `${network}.d`);
  }
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((file) => file.endsWith(suffix))
      .map((file) => file.slice(0, -suffix.length));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
