/** A veth pair for each container, a bridge in the hub that joins them, and a TAP port for the network process. */
import { randomBytes } from 'node:crypto';
import type { NetlinkSocket } from '../sys/netlink.ts';
import { changeLink, createBridge, createVeth, deleteLink } from '../sys/netlink-requests.ts';
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
    // A new name each time: the kernel removes that of an ended container some time after its end.
    const port = `veth${randomBytes(5).toString('hex')}`;
    const netlink = this.#hub.netlink();
    const master = this.#ensureBridge(mtu);
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
