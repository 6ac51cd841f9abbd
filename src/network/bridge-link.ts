/** A veth pair for each container, a bridge in the hub that joins them, and a TAP port for the network process. */
import { randomBytes } from 'node:crypto';
import type { NetlinkSocket } from '../sys/netlink.ts';
import { changeLink, createBridge, createVeth, deleteLink, isolatePort, renameLink } from '../sys/netlink-requests.ts';
import { errorCode } from '../base/error-code.ts';
import { configureInterface, type ContainerLink, type InterfaceSettings } from './container-link.ts';
import type { Hub } from './hub.ts';
import type { NetworkTun } from './network-tun.ts';

/** Frames that wait for the network process. Many streams at once overflow the default of 500 or 1000. */
const tapQueueLength = 20_000;

export interface BridgeSettings {
  /** Names of the links in the hub. */
  readonly bridge: string;
  readonly tap: string;
  /** IP MTU in bytes. */
  readonly mtu: number;
  /** Whether containers reach each other; else they reach the gateway alone. */
  readonly communication: boolean;
}

export class BridgeLink implements ContainerLink {
  readonly tap: string;
  readonly #hub: Hub;
  readonly #tun: NetworkTun;
  readonly #settings: BridgeSettings;
  #bridge: number | undefined;

  constructor(hub: Hub, tun: NetworkTun, settings: BridgeSettings) {
    this.#hub = hub;
    this.#tun = tun;
    this.#settings = settings;
    this.tap = settings.tap;
  }

  async prepare(): Promise<void> {
    this.#ensureBridge();
    await this.#tun.prepare();
  }

  takeTun(): number {
    return this.#tun.take();
  }

  joinProcess(): void {
    const { mtu } = this.#settings;
    const master = this.#ensureBridge();
    const settings = { master, mtu, transmitQueueLength: tapQueueLength, up: true };
    this.#hub.netlink().request([changeLink(this.tap, settings)]);
  }

  open(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  attach(pid: number, inside: NetlinkSocket, settings: InterfaceSettings): void {
    const { name, mtu, mac } = settings;
    const netlink = this.#hub.netlink();
    const master = this.#ensureBridge();
    const port = portName(master, settings.addresses[0].address);
    this.#retire(port);
    netlink.request([createVeth(port, { mtu, master, up: true }, { name, mtu, mac, netNs: { pid } })]);
    try {
      if (!this.#settings.communication) netlink.request([isolatePort(port, true)]);
      configureInterface(inside, settings);
    } catch (error) {
      netlink.request([deleteLink(port)]);
      throw error;
    }
  }

  close(): void {
    // The pair ends with the container's namespace. Removing it by hand would wait 20 ms for the kernel.
  }

  destroy(): void {
    this.#tun.release();
    this.#hub.netlink().request([deleteLink(this.#settings.bridge)]);
    this.#bridge = undefined;
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

  #ensureBridge(): number {
    if (this.#bridge !== undefined) return this.#bridge;
    const { bridge: name, mtu } = this.#settings;
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
