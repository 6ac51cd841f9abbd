/**
 * A TAP for each container: made in the hub, where the network process takes it, then moved into the container's
 * namespace. Containers of the network do not see each other, for nothing switches between their TAPs.
 */
import { randomBytes } from 'node:crypto';
import type { NetlinkSocket } from '../sys/netlink.ts';
import { moveLink } from '../sys/netlink-requests.ts';
import { configureInterface, type ContainerLink, type InterfaceSettings, type OwnTap } from './container-link.ts';
import type { Hub } from './hub.ts';
import { endTapKeeper, startTapKeeper } from './tap-keeper.ts';

export class TapLink implements ContainerLink {
  readonly tap = undefined;
  readonly #hub: Hub;

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  prepare(): Promise<void> {
    return Promise.resolve();
  }

  takeTun(): undefined {
    return undefined;
  }

  joinProcess(): void {
    // Each TAP is the business of its container.
  }

  async open(): Promise<OwnTap> {
    return { keeper: await startTapKeeper(this.#hub.holderPid), name: `tap${randomBytes(5).toString('hex')}` };
  }

  attach(pid: number, inside: NetlinkSocket, settings: InterfaceSettings, own: OwnTap | undefined): void {
    const netlink = this.#hub.netlink();
    const index = own === undefined ? undefined : netlink.link(own.name)?.index;
    if (index === undefined) throw new Error(`Cannot find the TAP ${own?.name ?? 'of the container'}`);
    const { name, mac, mtu } = settings;
    netlink.request([moveLink(index, { name, mac, mtu, netNs: { pid } })]);
    configureInterface(inside, settings);
  }

  destroy(): void {
    // Nothing is shared.
  }

  close(own: OwnTap | undefined): void {
    if (own !== undefined) endTapKeeper(own.keeper);
  }
}
