/** The networks of a user: `--network NAME` -> the driver that serves it. What the engine holds of this room. */
import { join } from 'node:path';
import { possibleCpus } from '../base/cpus.ts';
import { lastingProcess } from '../base/install.ts';
import { HOLDER_FD } from '../holder/holder-plan.ts';
import { type Holder, takeHolderFd } from '../holder/holder.ts';
import type { StatePaths } from '../state/paths.ts';
import { isAlive } from '../sys/process-identity.ts';
import { probeBridge, probeVeth } from '../sys/netlink-requests.ts';
import { errorCode } from '../base/error-code.ts';
import { BridgeDriver } from './bridge-driver.ts';
import { BridgeLink } from './bridge-link.ts';
import type { ContainerLink } from './container-link.ts';
import { createNetworkRecord, type NetworkRequest } from './create-network.ts';
import type { NetworkDriver } from './driver.ts';
import { parseResolvConf } from './etc-files.ts';
import { readHostFile } from './host-file.ts';
import { chooseSubnet, parseRoutes } from './host-routes.ts';
import { Hub } from './hub.ts';
import { formatAddress, formatMac, formatSubnet, macOfAddress, overlaps, parseAddress, parseSubnet } from './ipv4.ts';
import { NameDirectory } from './name-directory.ts';
import { NetworkError } from './network-error.ts';
import { defaultMtu, parseNetworkOptions } from './network-options.ts';
import { NetworkService } from './network-service.ts';
import { holderTun, keptTun } from './network-tun.ts';
import { hostDriver, noneDriver } from './plain-drivers.ts';
import type { NetworkProcessClient } from './process/client.ts';
import type { Methods } from './process/protocol.ts';
import { ensureNetworkProcess, findNetworkProcess, type ProcessStart } from './process/start.ts';
import { type NetworkRecord, NetworkRecords } from './records.ts';
import { defaultNetwork, predefinedId } from './stored-networks.ts';
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

const defaultIdle = 5 * 60_000;
const defaultPatience = 10_000;

/** A network in use. */
interface Opened {
  readonly driver: NetworkDriver;
  /** Absent: nothing of ours serves it. */
  readonly bridge?: { readonly service: NetworkService; readonly link: ContainerLink };
}

export class Networks implements AsyncDisposable {
  readonly #options: NetworksOptions;
  readonly #records: NetworkRecords;
  readonly #hub: Hub;
  readonly #opened = new Map<string, Opened>();
  readonly #directory: NameDirectory;
  #hasBridges: boolean | undefined;

  constructor(options: NetworksOptions) {
    this.#options = options;
    this.#records = new NetworkRecords(options.paths.networks);
    this.#directory = new NameDirectory(this.#namesFile);
    const { holder } = options;
    this.#hub = new Hub({
      id: JSON.stringify(holder.process),
      pid: holder.process.pid,
      take: (what) => takeHolderFd(holder, HOLDER_FD[what]),
    });
  }

  /** The driver of that network. Throws NOT_FOUND in Docker's words. */
  driver(network: string): NetworkDriver {
    return this.#open(network).driver;
  }

  /** Makes a network. Durable when it returns. Throws NetworkErrors. */
  create(request: NetworkRequest): NetworkRecord {
    // The default network has its place first, so that it is the same whenever it is used.
    this.#defaultRecord();
    const record = createNetworkRecord(request, {
      networks: this.#records.networks(),
      routes: parseRoutes(readHostFile('/proc/net/route')),
      resolvers: parseResolvConf(readHostFile('/etc/resolv.conf')).servers,
    });
    this.#records.saveNetwork(record);
    return record;
  }

  /** What flows through each network that is in use, by its name. */
  async flows(): Promise<Map<string, Methods['flows']['result']>> {
    const found = new Map<string, Methods['flows']['result']>();
    for (const [name, { bridge }] of this.#opened) {
      const flows = await bridge?.service.flows();
      if (flows !== undefined) found.set(name, flows);
    }
    return found;
  }

  /** Removes a network that no container is attached to, with all that serves it. */
  async remove(network: string): Promise<void> {
    const { bridge } = this.#open(network);
    if (bridge !== undefined && bridge.service.size > 0) {
      throw new NetworkError('CONFLICT', `error while removing network: network ${network} has active endpoints`);
    }
    await bridge?.service.leave();
    bridge?.link.destroy();
    this.#opened.delete(network);
    this.#records.removeNetwork(network);
  }

  /** Lets go of everything, with all of it left running. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#opened.values()].flatMap(({ bridge }) => bridge?.service.close() ?? []));
    this.#hub[Symbol.dispose]();
  }

  get #namesFile(): string {
    return join(this.#options.paths.run, 'network-names.json');
  }

  #open(network: string): Opened {
    let opened = this.#opened.get(network);
    if (opened === undefined) {
      opened = this.#openNew(network);
      this.#opened.set(network, opened);
    }
    return opened;
  }

  #openNew(network: string): Opened {
    const groups = this.#options.holder.map.gid.reduce((sum, { count }) => sum + count, 0);
    if (network === 'none') return { driver: noneDriver(groups) };
    if (network === 'host') return { driver: hostDriver() };
    const isDefault = network === defaultNetwork;
    const record = isDefault ? this.#defaultRecord() : this.#records.network(network);
    if (record === undefined) throw new NetworkError('NOT_FOUND', `network ${network} not found`);
    const link = this.#openLink(record);
    const service = new NetworkService({
      find: () => findNetworkProcess(this.#processStart(record, link)),
      connect: () => this.#connect(record, link),
      hasHub: () => isAlive(this.#options.holder.process),
      log: (message) => this.#options.log(`network ${network}: ${message}`),
    });
    const driver = new BridgeDriver({
      record,
      records: this.#records,
      link,
      service,
      // On the default network, containers are not found by name, as with Docker.
      directory: isDefault ? undefined : this.#directory,
      groups,
      cpus: possibleCpus(),
    });
    return { driver, bridge: { service, link } };
  }

  #openLink(record: NetworkRecord): ContainerLink {
    if (this.#options.link === 'tap' || !this.#probeBridges()) return new TapLink(this.#hub);
    const { mtu, options = {}, id, name } = record;
    const { communication } = parseNetworkOptions(options);
    const isDefault = name === defaultNetwork;
    const tun = isDefault
      ? holderTun(this.#hub)
      : keptTun(this.#hub, join(this.#options.paths.run, `network-${name}.tap.json`));
    // An interface's name has 15 bytes at most.
    const names = isDefault
      ? { bridge: 'trun0', tap: 'tap0' }
      : { bridge: `br-${id.slice(0, 12)}`, tap: `tap-${id.slice(0, 11)}` };
    return new BridgeLink(this.#hub, tun, { ...names, mtu, communication });
  }

  /** Whether the kernel has veth pairs and bridges. */
  #probeBridges(): boolean {
    if (this.#hasBridges !== undefined) return this.#hasBridges;
    try {
      this.#hub.netlink().request([probeVeth(), probeBridge()]);
      this.#hasBridges = true;
    } catch (error) {
      // EOPNOTSUPP, which Node calls ENOTSUP: the kernel has no such kind of link.
      if (errorCode(error) !== 'ENOTSUP') throw error;
      this.#options.log(`Containers of a network will not see each other: ${(error as Error).message}`);
      this.#hasBridges = false;
    }
    return this.#hasBridges;
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
    const others = this.#records.networks().filter(({ name }) => name !== defaultNetwork);
    return this.#createDefault([...used, ...others.flatMap((other) => parseSubnet(other.subnet) ?? [])]);
  }

  #createDefault(used: Parameters<typeof chooseSubnet>[0]): NetworkRecord {
    const subnet = chooseSubnet(used, parseResolvConf(readHostFile('/etc/resolv.conf')).servers);
    if (subnet === undefined) {
      throw new Error('Cannot create network bridge: the host uses all subnets that it could have');
    }
    const record: NetworkRecord = {
      name: defaultNetwork,
      id: predefinedId(this.#options.paths.root, defaultNetwork),
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
    await link.prepare();
    const client = await ensureNetworkProcess(this.#processStart(record, link));
    link.joinProcess();
    return client;
  }

  #processStart(record: NetworkRecord, link: ContainerLink): ProcessStart {
    const { paths, idle, patience, command } = this.#options;
    const { name, gateway, gateway6, subnet6, mtu } = record;
    const file = join(paths.run, `network-${name}`);
    return {
      config: {
        network: name,
        identity: JSON.stringify([record.id, record.subnet, this.#hub.id]),
        ...(link.tap === undefined ? {} : { tap: link.tap }),
        gateway,
        gatewayMac: formatMac(macOfAddress(parseAddress(gateway)!)),
        prefixLength: parseSubnet(record.subnet)!.prefixLength,
        ...(gateway6 === undefined ? {} : { gateway6, prefixLength6: Number(subnet6?.split('/')[1]) }),
        mtu,
        internal: record.internal === true,
        names: this.#namesFile,
        containers: paths.containers,
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
