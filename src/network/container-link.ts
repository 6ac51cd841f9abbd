/**
 * How the containers of a network and its network process are joined. Two kinds: a veth pair to a bridge that all share,
 * with one TAP for the network process, or, where the kernel has no veth or no bridge, a TAP for each container.
 */
import type { NetlinkSocket } from '../sys/netlink.ts';
import { addAddress, addDefaultRoute, changeLink } from '../sys/netlink-requests.ts';
import type { ProcessIdentity } from '../sys/process-identity.ts';

/** A TAP of one container's own. */
export interface OwnTap {
  /** Who keeps it open, at `keeperTunFd`. */
  readonly keeper: ProcessIdentity;
  /** Its name in the hub. */
  readonly name: string;
}

/** An address with its subnet's prefix length and the network's gateway. Addresses are bytes in network order. */
export interface InterfaceAddress {
  readonly address: Uint8Array;
  readonly prefixLength: number;
  readonly gateway: Uint8Array;
}

/** What a container's interface is to be. */
export interface InterfaceSettings {
  readonly name: string;
  readonly mac: Uint8Array;
  /** IP MTU in bytes. */
  readonly mtu: number;
  /** IPv4, then IPv6 where the network has it. */
  readonly addresses: readonly [InterfaceAddress, ...InterfaceAddress[]];
  /** Whether the default route goes there. */
  readonly isGateway: boolean;
}

export interface ContainerLink {
  /** The TAP that the network process serves; undefined: the containers' own. */
  readonly tap: string | undefined;
  /** Makes what all containers share, where it is not there yet. */
  prepare(): Promise<void>;
  /** A duplicate of the descriptor of that TAP. */
  takeTun(): number | undefined;
  /** The network process has the TAP. */
  joinProcess(): void;
  /** Before a container's launch: what it alone needs. */
  open(): Promise<OwnTap | undefined>;
  /** Gives a container its interface, with the hub's end ready. @param pid of a process in its network namespace */
  attach(pid: number, inside: NetlinkSocket, settings: InterfaceSettings, own: OwnTap | undefined): void;
  /** After a container's end, whether or not it was attached. */
  close(own: OwnTap | undefined): void;
  /** Removes what all containers share. */
  destroy(): void;
}

/** Sets the container's interface up, from inside its namespace. */
export function configureInterface(inside: NetlinkSocket, settings: InterfaceSettings): void {
  const index = inside.link(settings.name)?.index;
  if (index === undefined) throw new Error(`Cannot find interface ${settings.name}`);
  inside.request([
    ...settings.addresses.map(({ address, prefixLength }) => addAddress(index, address, prefixLength)),
    changeLink(settings.name, { up: true }),
    ...(settings.isGateway ? settings.addresses.map(({ gateway }) => addDefaultRoute(gateway)) : []),
  ]);
}
