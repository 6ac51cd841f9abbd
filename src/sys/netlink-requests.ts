/** The rtnetlink requests that networks need, as data. Nothing here talks to the kernel; see netlink.ts. */
import {
  type AttributeValues,
  decodeAttributes,
  decodeStruct,
  encodeAttributes,
  encodeStruct,
} from './netlink-attributes.ts';
import {
  addressAttributes,
  bridgeAttributes,
  bridgePortAttributes,
  ifaddrmsg,
  ifinfomsg,
  linkAttributes,
  messageFlags,
  messageTypes,
  routeAttributes,
  rtmsg,
  vethAttributes,
} from './netlink-messages.ts';

/** One message to the kernel. */
export interface NetlinkRequest {
  readonly type: number;
  /** NLM_F_* beyond REQUEST and ACK. */
  readonly flags: number;
  readonly body: Buffer;
  /** What it is for, to finish "Cannot …": `create bridge trun0`. */
  readonly action: string;
  /** Error codes (`EEXIST`) that count as success. */
  readonly tolerated?: readonly string[];
}

/** What can be set on any link. */
export interface LinkSettings {
  readonly up?: boolean;
  /** Bytes of payload of one frame. */
  readonly mtu?: number;
  /** Six bytes. */
  readonly mac?: Uint8Array;
  /** Index of the bridge that it becomes a port of; 0 takes it off. */
  readonly master?: number;
  /** Frames that wait for the reader before more are dropped. */
  readonly transmitQueueLength?: number;
}

/** A network namespace: an open fd, or a process inside it by its pid in ours. */
export type NetNsReference = { readonly fd: number } | { readonly pid: number };

/** A link as the kernel lists it. */
export interface Link {
  readonly index: number;
  readonly name: string;
  readonly up: boolean;
  readonly mtu: number;
  /** Index of the bridge it is a port of, 0 without one. */
  readonly master: number;
  /** `bridge`, `veth`, `tun`…; empty for loopback. */
  readonly kind: string;
  readonly mac: Uint8Array;
}

const addressFamily = { unspecified: 0, inet: 2, inet6: 10 } as const;

/** IFA_F_NODAD, linux/if_addr.h: the address can be used at once; whoever gives it knows that it is nobody else's. */
const noDuplicateDetection = 2;

/** IFF_UP, linux/if.h. */
const up = 1;

/** RT_TABLE_MAIN, RTPROT_BOOT (what `ip route add` says), RT_SCOPE_UNIVERSE, RTN_UNICAST. */
const unicastRoute = { table: 254, protocol: 3, scope: 0, type: 1 } as const;

/** A new bridge. Frames are forwarded at once (no spanning tree) and multicast floods (no snooping state to keep). */
export function createBridge(name: string, settings: LinkSettings = {}): NetlinkRequest {
  const data = encodeAttributes(bridgeAttributes, { forwardDelay: 0, stpState: 0, multicastSnooping: 0 });
  return createLink(`create bridge ${name}`, name, settings, { info: { kind: 'bridge', data } });
}

/**
 * A veth pair: `name` in the namespace of the socket, `peer` where `peer.netNs` says. The peer can't be set up in the
 * same request (ENOTCONN: the kernel opens it before the two ends are joined).
 */
export function createVeth(
  name: string,
  settings: LinkSettings,
  peer: Omit<LinkSettings, 'up'> & { readonly name: string; readonly netNs: NetNsReference },
): NetlinkRequest {
  const data = encodeAttributes(vethAttributes, {
    peer: Buffer.concat([
      linkHeader(peer),
      encodeAttributes(linkAttributes, { name: peer.name, ...linkValues(peer), ...netNsValue(peer.netNs) }),
    ]),
  });
  return createLink(`create veth ${name}`, name, settings, { info: { kind: 'veth', data } });
}

/**
 * Succeeds where the kernel can make veth pairs, and makes none: the kernel finds the kind of link (or answers
 * EOPNOTSUPP) before it looks at the address, which is no address of an interface.
 */
export function probeVeth(): NetlinkRequest {
  const mac = new Uint8Array(6);
  const request = createLink('use veth pairs', 'veth-probe', { mac }, { info: { kind: 'veth' } });
  return { ...request, tolerated: ['EADDRNOTAVAIL'] };
}

/** As `probeVeth`, for bridges. */
export function probeBridge(): NetlinkRequest {
  const request = createLink('use bridges', 'bridge-probe', { mac: new Uint8Array(6) }, { info: { kind: 'bridge' } });
  return { ...request, tolerated: ['EADDRNOTAVAIL'] };
}

function createLink(
  action: string,
  name: string,
  settings: LinkSettings,
  more: AttributeValues<typeof linkAttributes>,
): NetlinkRequest {
  return {
    type: messageTypes.newLink,
    flags: messageFlags.create | messageFlags.exclusive,
    body: Buffer.concat([
      linkHeader(settings),
      encodeAttributes(linkAttributes, { name, ...linkValues(settings), ...more }),
    ]),
    action,
  };
}

/** Changes the link of that name. */
export function changeLink(name: string, settings: LinkSettings): NetlinkRequest {
  return {
    type: messageTypes.newLink,
    flags: 0,
    body: Buffer.concat([linkHeader(settings), encodeAttributes(linkAttributes, { name, ...linkValues(settings) })]),
    action: `set up link ${name}`,
  };
}

/** Gives a link another name; one that is already gone is fine. */
export function renameLink(index: number, name: string): NetlinkRequest {
  return {
    type: messageTypes.newLink,
    flags: 0,
    body: Buffer.concat([encodeStruct(ifinfomsg, { index }), encodeAttributes(linkAttributes, { name })]),
    action: `rename link ${index} to ${name}`,
    tolerated: ['ENODEV'],
  };
}

/** Moves a link into another namespace, under a new name there and with new settings. It arrives down. */
export function moveLink(
  index: number,
  to: Omit<LinkSettings, 'up' | 'master'> & { readonly name: string; readonly netNs: NetNsReference },
): NetlinkRequest {
  const values = { name: to.name, ...linkValues(to), ...netNsValue(to.netNs) };
  return {
    type: messageTypes.newLink,
    flags: 0,
    body: Buffer.concat([encodeStruct(ifinfomsg, { index }), encodeAttributes(linkAttributes, values)]),
    action: `move link ${index} into the container as ${to.name}`,
  };
}

/** Whether a bridge's port may talk to other isolated ports. */
export function isolatePort(name: string, isolated: boolean): NetlinkRequest {
  const portData = encodeAttributes(bridgePortAttributes, { isolated: isolated ? 1 : 0 });
  return {
    type: messageTypes.newLink,
    flags: 0,
    body: Buffer.concat([
      encodeStruct(ifinfomsg, {}),
      encodeAttributes(linkAttributes, { name, info: { portKind: 'bridge', portData } }),
    ]),
    action: `isolate bridge port ${name}`,
  };
}

/** Removes a link; one that is already gone is fine. */
export function deleteLink(name: string): NetlinkRequest {
  return {
    type: messageTypes.deleteLink,
    flags: 0,
    body: Buffer.concat([encodeStruct(ifinfomsg, {}), encodeAttributes(linkAttributes, { name })]),
    action: `remove link ${name}`,
    tolerated: ['ENODEV'],
  };
}

/** Asks for one link; the reply is read by `decodeLink`. */
export function getLink(name: string): NetlinkRequest {
  return {
    type: messageTypes.getLink,
    flags: 0,
    body: Buffer.concat([encodeStruct(ifinfomsg, {}), encodeAttributes(linkAttributes, { name })]),
    action: `find link ${name}`,
  };
}

/** Asks for all links of the namespace. */
export function listLinks(): NetlinkRequest {
  return {
    type: messageTypes.getLink,
    flags: messageFlags.dump,
    body: encodeStruct(ifinfomsg, {}),
    action: 'list links',
  };
}

/**
 * Gives the link with that index an address.
 * @param address four bytes, or sixteen for IPv6, in network order
 */
export function addAddress(index: number, address: Uint8Array, prefixLength: number): NetlinkRequest {
  const isInet6 = address.length === 16;
  const broadcast = address.map((byte, i) => byte | (0xff >> Math.min(8, Math.max(0, prefixLength - 8 * i))));
  return {
    type: messageTypes.newAddress,
    flags: messageFlags.create | messageFlags.exclusive,
    body: Buffer.concat([
      encodeStruct(ifaddrmsg, {
        family: isInet6 ? addressFamily.inet6 : addressFamily.inet,
        prefixLength,
        index,
        flags: isInet6 ? noDuplicateDetection : 0,
      }),
      encodeAttributes(addressAttributes, { local: address, address, ...(isInet6 ? {} : { broadcast }) }),
    ]),
    action: `add address ${address.join('.')}/${prefixLength}`,
  };
}

/** The default route of the gateway's family. @param gateway four bytes, or sixteen for IPv6, in network order */
export function addDefaultRoute(gateway: Uint8Array): NetlinkRequest {
  const family = gateway.length === 16 ? addressFamily.inet6 : addressFamily.inet;
  return {
    type: messageTypes.newRoute,
    flags: messageFlags.create | messageFlags.exclusive,
    body: Buffer.concat([
      encodeStruct(rtmsg, { family, ...unicastRoute }),
      encodeAttributes(routeAttributes, { gateway }),
    ]),
    action: `add default route by ${gateway.join('.')}`,
  };
}

/** Reads the body of a reply to getLink or listLinks; undefined when it is no link. */
export function decodeLink(body: Buffer): Link | undefined {
  if (body.length < ifinfomsg.size) return undefined;
  const header = decodeStruct(ifinfomsg, body);
  const attributes = decodeAttributes(linkAttributes, body.subarray(ifinfomsg.size));
  return {
    index: header.index,
    name: attributes.name ?? '',
    up: (header.flags & up) !== 0,
    mtu: attributes.mtu ?? 0,
    master: attributes.master ?? 0,
    kind: attributes.info?.kind ?? '',
    mac: attributes.address ?? new Uint8Array(),
  };
}

function linkHeader(settings: LinkSettings): Buffer {
  return encodeStruct(ifinfomsg, {
    family: addressFamily.unspecified,
    flags: settings.up === true ? up : 0,
    change: settings.up === undefined ? 0 : up,
  });
}

function netNsValue(netNs: NetNsReference): AttributeValues<typeof linkAttributes> {
  return 'fd' in netNs ? { netNsFd: netNs.fd } : { netNsPid: netNs.pid };
}

function linkValues(settings: LinkSettings): AttributeValues<typeof linkAttributes> {
  return {
    ...(settings.mac && { address: settings.mac }),
    ...(settings.mtu !== undefined && { mtu: settings.mtu }),
    ...(settings.transmitQueueLength !== undefined && { transmitQueueLength: settings.transmitQueueLength }),
    ...(settings.master !== undefined && { master: settings.master }),
  };
}
