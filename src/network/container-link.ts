/**
 * How the containers of a network and its network process are joined. Two kinds: a veth pair to a bridge that all share,
 * with one TAP for the network process, or, where the kernel has no veth or no bridge, a TAP for each container.
 */
import type { NetlinkSocket } from '../sys/netlink.ts';
import { addAddress, addDefaultRoute, changeLink } from '../sys/netlink-requests.ts';
import type { ProcessIdentity } from '../sys/process-identity.ts';

/** Names of the network's links in the hub. */
export interface HubLinks {
  readonly bridge: string;
  readonly tap: string;
}

/** A TAP of one container's own. */
export interface OwnTap {
  /** Who keeps it open, at `keeperTunFd`. */
  readonly keeper: ProcessIdentity;
  /** Its name in the hub. */
  readonly name: string;
}

/** What a container's interface is to be. Addresses are bytes in network order. */
export interface InterfaceSettings {
  readonly name: string;
  readonly mac: Uint8Array;
  /** IP MTU in bytes. */
  readonly mtu: number;
  readonly address: Uint8Array;
  readonly prefixLength: number;
  readonly gateway: Uint8Array;
}

export interface ContainerLink {
  /** Makes what all containers share, and says which TAP the network process serves; undefined: the containers' own. */
  prepareNetwork(mtu: number): string | undefined;
  /** A duplicate of the descriptor of that TAP. */
  takeTun(): number | undefined;
  /** The network process has the TAP. */
  joinProcess(mtu: number): void;
  /** Before a container's launch: what it alone needs. */
  open(): Promise<OwnTap | undefined>;
  /** Gives the waiting container its interface, with the hub's end ready. */
  attach(pid: number, inside: NetlinkSocket, settings: InterfaceSettings, own: OwnTap | undefined): void;
  /** After a container's end, whether or not it was attached. */
  close(own: OwnTap | undefined): void;
}

/** Sets the container's interface up, from inside its namespace. */
export function configureInterface(inside: NetlinkSocket, settings: InterfaceSettings): void {
  const index = inside.link(settings.name)?.index;
  if (index === undefined) throw new Error(`Cannot find interface ${settings.name}`);
  inside.request([
    addAddress(index, settings.address, settings.prefixLength),
    changeLink(settings.name, { up: true }),
    addDefaultRoute(settings.gateway),
  ]);
}
