/** A veth pair for each container, a bridge in the hub that joins them, and a TAP port for the network process. */
import { randomBytes } from 'node:crypto';
import type { NetlinkSocket } from '../sys/netlink.ts';
import { changeLink, createBridge, createVeth, deleteLink, renameLink } from '../sys/netlink-requests.ts';
import { errorCode } from '../base/error-code.ts';
import { configureInterface, type ContainerLink, type HubLinks, type InterfaceSettings } from './container-link.ts';
import type { Hub } from './hub.ts';

/** Frames that wait for the network process. Many streams at once overflow the default of 500 or 1000. */
const tapQueueLength = 20_000;

export class BridgeLink implements ContainerLink {
  readonly #hub: Hub;
  readonly #links: HubLinks;
  #bridge: number | undefined;

  constructor(hub: Hub, links: HubLinks) {
    this.#hub = hub;
    this.#links = links;
  }

  prepareNetwork(mtu: number): string {
    this.#ensureBridge(mtu);
    return this.#links.tap;
  }

  takeTun(): number {
    return this.#hub.takeTun();
  }

  joinProcess(mtu: number): void {
    const master = this.#ensureBridge(mtu);
    const settings = { master, mtu, transmitQueueLength: tapQueueLength, up: true };
    this.#hub.netlink().request([changeLink(this.#links.tap, settings)]);
  }

  open(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  attach(pid: number, inside: NetlinkSocket, settings: InterfaceSettings): void {
    const { name, mtu, mac } = settings;
    const netlink = this.#hub.netlink();
    const master = this.#ensureBridge(mtu);
    const port = portName(master, settings.address);
    this.#retire(port);
    netlink.request([createVeth(port, { mtu, master, up: true }, { name, mtu, mac, netNs: { pid } })]);
    try {
      configureInterface(inside, settings);
    } catch (error) {
      netlink.request([deleteLink(port)]);
      throw error;
    }
  }

  close(): void {
    // The pair ends with the container's namespace. Removing it by hand would wait 20 ms for the kernel.
  }

  /**
   * The kernel removes an ended container's namespace some time after its end; on a busy machine that takes seconds. Until then
   * its interface would go on to answer for the address, and reset the connections of the next container that has it.
   */
  #retire(port: string): void {
    const netlink = this.#hub.netlink();
    const former = netlink.link(port);
    if (former === undefined) return;
    // Down first: the bridge forgets what it learned of the port, and a link that is up could not be renamed before Linux 6.2.
    const down = changeLink(port, { up: false });
    netlink.request([
      { ...down, tolerated: ['ENODEV'] },
      renameLink(former.index, `gone${randomBytes(5).toString('hex')}`),
    ]);
  }

  #ensureBridge(mtu: number): number {
    if (this.#bridge !== undefined) return this.#bridge;
    const name = this.#links.bridge;
    const netlink = this.#hub.netlink();
    try {
      netlink.request([createBridge(name, { mtu, up: true })]);
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
    this.#bridge = netlink.link(name)?.index;
    if (this.#bridge === undefined) throw new Error(`Cannot find bridge ${name}`);
    return this.#bridge;
  }
}

/** The name of the bridge's end of a pair (at most 15 characters, IFNAMSIZ) says whose it is, so that no second one can be. */
function portName(bridge: number, address: Uint8Array): string {
  return `v${bridge.toString(36)}-${Buffer.from(address).toString('hex')}`;
}
