/** The networks of a user: `--network NAME` -> the driver that serves it. What the engine holds of this room. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { possibleCpus } from '../base/cpus.ts';
import { lastingProcess } from '../base/install.ts';
import { HOLDER_FD } from '../holder/holder-plan.ts';
import { type Holder, takeHolderFd } from '../holder/holder.ts';
import type { StatePaths } from '../state/paths.ts';
import { probeVeth } from '../sys/netlink-requests.ts';
import { errorCode } from '../base/error-code.ts';
import { BridgeDriver } from './bridge-driver.ts';
import { BridgeLink } from './bridge-link.ts';
import type { ContainerLink, HubLinks } from './container-link.ts';
import type { NetworkDriver } from './driver.ts';
import { parseResolvConf } from './etc-files.ts';
import { readHostFile } from './host-file.ts';
import { chooseSubnet, parseRoutes } from './host-routes.ts';
import { Hub } from './hub.ts';
import {
  formatAddress,
  formatMac,
  formatSubnet,
  macOfAddress,
  overlaps,
  parseAddress,
  parseSubnet,
  type Subnet,
} from './ipv4.ts';
import { NetworkService } from './network-service.ts';
import { hostDriver, noneDriver } from './plain-drivers.ts';
import type { NetworkProcessClient } from './process/client.ts';
import { ensureNetworkProcess, findNetworkProcess, type ProcessStart } from './process/start.ts';
import { type NetworkRecord, NetworkRecords } from './records.ts';
import { TapLink } from './tap-link.ts';

export interface NetworksOptions {
  readonly paths: StatePaths;
  readonly holder: Holder;
  /** Something that a user of the agent's log should know. */
  readonly log: (message: string) => void;
  /** How long a network process stays without containers, in ms. Default: five minutes. */
  readonly idle?: number;
  /** How long a network process may take to start or to answer, in ms, before it is replaced. Default: ten seconds. */
  readonly patience?: number;
  /** How containers are joined to it. Default: by veth pairs and a bridge where the kernel has both. */
  readonly link?: 'bridge' | 'tap';
  /** Program and arguments of the network process. Default: this Node and the installed bundle. */
  readonly command?: readonly [program: string, ...args: string[]];
}

/** The network that containers join unless they are told otherwise. */
export const defaultNetwork = 'bridge';

const defaultLinks: HubLinks = { bridge: 'trun0', tap: 'tap0' };
/** Ethernet's. With segmentation offload through the TAP a larger one gains little. */
const defaultMtu = 1500;
const defaultIdle = 5 * 60_000;
const defaultPatience = 10_000;

export class Networks implements AsyncDisposable {
  readonly #options: NetworksOptions;
  readonly #records: NetworkRecords;
  readonly #hub: Hub;
  readonly #drivers = new Map<string, NetworkDriver>();
  readonly #services: NetworkService[] = [];

  constructor(options: NetworksOptions) {
    this.#options = options;
    this.#records = new NetworkRecords(options.paths.networks);
    const { holder } = options;
    this.#hub = new Hub({
      id: JSON.stringify(holder.process),
      pid: holder.process.pid,
      take: (what) => takeHolderFd(holder, HOLDER_FD[what]),
    });
  }

  /** The driver of that network. Throws NOT_FOUND in Docker's words. */
  driver(network: string): NetworkDriver {
    let driver = this.#drivers.get(network);
    if (driver === undefined) {
      driver = this.#open(network);
      this.#drivers.set(network, driver);
    }
    return driver;
  }

  /** Lets go of everything, with all of it left running. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#services.map((service) => service.close()));
    this.#hub[Symbol.dispose]();
  }

  #open(network: string): NetworkDriver {
    const groups = this.#options.holder.map.gid.reduce((sum, { count }) => sum + count, 0);
    if (network === 'none') return noneDriver(groups);
    if (network === 'host') return hostDriver();
    if (network !== defaultNetwork) {
      throw Object.assign(new Error(`network ${network} not found`), { code: 'NOT_FOUND' });
    }
    const record = this.#defaultRecord();
    const link = this.#openLink(record);
    const service = new NetworkService({
      find: () => findNetworkProcess(this.#processStart(record, link)),
      connect: () => this.#connect(record, link),
      log: this.#options.log,
    });
    this.#services.push(service);
    return new BridgeDriver({ record, records: this.#records, link, service, groups, cpus: possibleCpus() });
  }

  #openLink({ mtu }: NetworkRecord): ContainerLink {
    if (this.#options.link === 'tap') return new TapLink(this.#hub);
    try {
      this.#hub.netlink().request([probeVeth()]);
      const link = new BridgeLink(this.#hub, defaultLinks);
      link.prepareNetwork(mtu);
      return link;
    } catch (error) {
      // EOPNOTSUPP, which Node calls ENOTSUP: the kernel has no such kind of link.
      if (errorCode(error) !== 'ENOTSUP') throw error;
      this.#options.log(`Containers of a network will not see each other: ${(error as Error).message}`);
      return new TapLink(this.#hub);
    }
  }

  /** The default network. It moves to another subnet when the host has come to use its own and no container is on it. */
  #defaultRecord(): NetworkRecord {
    const used = parseRoutes(readHostFile('/proc/net/route'));
    const known = this.#records.network(defaultNetwork);
    const subnet = parseSubnet(known?.subnet ?? '');
    if (known !== undefined && subnet !== undefined) {
      const clashes = used.some((other) => overlaps(other, subnet));
      if (!clashes || this.#records.endpoints(defaultNetwork).length > 0) return known;
    }
    return this.#createDefault(used);
  }

  #createDefault(used: readonly Subnet[]): NetworkRecord {
    const subnet = chooseSubnet(used, parseResolvConf(readHostFile('/etc/resolv.conf')).servers);
    if (subnet === undefined) {
      throw new Error('Cannot create network bridge: the host uses all subnets that it could have');
    }
    const record: NetworkRecord = {
      name: defaultNetwork,
      id: randomBytes(32).toString('hex'),
      driver: 'bridge',
      subnet: formatSubnet(subnet),
      gateway: formatAddress(subnet.base + 1),
      mtu: defaultMtu,
      created: new Date().toISOString(),
    };
    this.#records.saveNetwork(record);
    return record;
  }

  async #connect(record: NetworkRecord, link: ContainerLink): Promise<NetworkProcessClient> {
    const client = await ensureNetworkProcess(this.#processStart(record, link));
    link.joinProcess(record.mtu);
    return client;
  }

  #processStart(record: NetworkRecord, link: ContainerLink): ProcessStart {
    const { paths, idle, patience, command } = this.#options;
    const { name, gateway, mtu } = record;
    const tap = link.prepareNetwork(mtu);
    const file = join(paths.run, `network-${name}`);
    return {
      config: {
        network: name,
        identity: `${record.id} in ${this.#hub.id}`,
        ...(tap === undefined ? {} : { tap }),
        gateway,
        gatewayMac: formatMac(macOfAddress(parseAddress(gateway)!)),
        prefixLength: parseSubnet(record.subnet)!.prefixLength,
        mtu,
        socket: `${file}.sock`,
        lock: `${file}.lock`,
        idle: idle ?? defaultIdle,
      },
      command: command ?? lastingProcess('network'),
      patience: patience ?? defaultPatience,
      log: `${file}.log`,
      openFds: () => ({ tun: link.takeTun(), holder: this.#hub.openHolder() }),
    };
  }
}
