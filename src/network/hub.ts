/**
 * The hub: the network namespace of the user's holder, in which a bridge joins the containers of a network and a TAP port
 * leads to its network process. Reached from outside, through descriptors that the holder keeps: bridges and ports are
 * made over its netlink socket, with the authority that a user has over a namespace of their own.
 *
 * One process at a time works on a hub (the agent): the netlink socket is one queue of replies.
 */
import { closeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { NetlinkSocket } from '../sys/netlink.ts';
import {
  addAddress,
  addDefaultRoute,
  changeLink,
  createBridge,
  createVeth,
  deleteLink,
  type NetNsReference,
} from '../sys/netlink-requests.ts';
import { pidfdGetfd, pidfdOpen } from '../sys/pidfd.ts';
import { errorCode } from '../sys/system-error.ts';
import { configurationSocketFd } from './namespace-plan.ts';

/** What the holder gives. */
export interface HubAccess {
  /** Another hub has another: the holder's identity as text. */
  readonly id: string;
  /** The holder's pid. */
  readonly pid: number;
  /** A duplicate of a descriptor that the holder keeps open, made in the hub. The caller closes it. */
  take(what: 'netlink' | 'tun'): number;
}

/** Names of a network's links in the hub. */
export interface HubLinks {
  readonly bridge: string;
  readonly tap: string;
}

/** How a container is to be attached. Addresses are bytes in network order. */
export interface Attachment {
  readonly bridge: string;
  readonly pid: number;
  readonly interface: string;
  readonly mac: Uint8Array;
  readonly mtu: number;
  readonly address: Uint8Array;
  readonly prefixLength: number;
  readonly gateway: Uint8Array;
}

/** Frames that wait for the network process. Many streams at once overflow the default of 500 or 1000. */
const tapQueueLength = 20_000;

export class Hub {
  readonly access: HubAccess;
  readonly #bridges = new Map<string, number>();
  #netlink: NetlinkSocket | undefined;

  constructor(access: HubAccess) {
    this.access = access;
  }

  /** Makes the bridge unless it is there, and returns its index. */
  ensureBridge(name: string, mtu: number): number {
    const known = this.#bridges.get(name);
    if (known !== undefined) return known;
    const socket = this.#socket();
    try {
      socket.request([createBridge(name, { mtu, up: true })]);
    } catch (error) {
      if (errorCode(error) !== 'EEXIST') throw error;
    }
    const index = socket.link(name)?.index;
    if (index === undefined) throw new Error(`Cannot find bridge ${name}`);
    this.#bridges.set(name, index);
    return index;
  }

  /** Makes the TAP, which the network process has set up, a port of the bridge. Repeating it changes nothing. */
  joinTap({ bridge, tap }: HubLinks, mtu: number): void {
    const master = this.ensureBridge(bridge, mtu);
    this.#socket().request([changeLink(tap, { master, mtu, transmitQueueLength: tapQueueLength, up: true })]);
  }

  /**
   * Joins a waiting container to the bridge: a veth pair, whose name in the hub is new each time, for the kernel
   * removes that of an ended container some time after its end.
   */
  attach(attachment: Attachment): void {
    const { bridge, pid, mtu, mac } = attachment;
    const name = `veth${randomBytes(5).toString('hex')}`;
    const inside = takeConfigurationSocket(pid);
    try {
      const netNs: NetNsReference = { pid };
      const peer = { name: attachment.interface, mtu, mac, netNs };
      this.#socket().request([createVeth(name, { mtu, master: this.ensureBridge(bridge, mtu), up: true }, peer)]);
      try {
        const index = inside.link(attachment.interface)?.index;
        if (index === undefined) throw new Error(`Cannot find interface ${attachment.interface}`);
        inside.request([
          addAddress(index, attachment.address, attachment.prefixLength),
          changeLink(attachment.interface, { up: true }),
          addDefaultRoute(attachment.gateway),
        ]);
      } catch (error) {
        this.#socket().request([deleteLink(name)]);
        throw error;
      }
    } finally {
      inside.close();
    }
  }

  /** Removes a network's links. */
  remove({ bridge, tap }: HubLinks): void {
    this.#bridges.delete(bridge);
    this.#socket().request([deleteLink(bridge), deleteLink(tap)]);
  }

  close(): void {
    this.#netlink?.close();
    this.#netlink = undefined;
  }

  #socket(): NetlinkSocket {
    return (this.#netlink ??= new NetlinkSocket(this.access.take('netlink')));
  }
}

/** The netlink socket that a waiting container has open in its own namespace. */
function takeConfigurationSocket(pid: number): NetlinkSocket {
  const pidfd = pidfdOpen(pid);
  try {
    return new NetlinkSocket(pidfdGetfd(pidfd, configurationSocketFd));
  } finally {
    closeSync(pidfd);
  }
}
