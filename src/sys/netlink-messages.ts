/** Layouts and numbers of rtnetlink (linux/netlink.h, rtnetlink.h, if_link.h, if_addr.h, veth.h), each stated once. */
import type { AttributeTable, StructLayout } from './netlink-attributes.ts';

/** struct nlmsghdr: stands before every message. */
export const nlmsghdr = {
  size: 16,
  fields: { length: [0, 'u32'], type: [4, 'u16'], flags: [6, 'u16'], sequence: [8, 'u32'], port: [12, 'u32'] },
} as const satisfies StructLayout;

/** struct ifinfomsg: a link. */
export const ifinfomsg = {
  size: 16,
  fields: { family: [0, 'u8'], type: [2, 'u16'], index: [4, 'u32'], flags: [8, 'u32'], change: [12, 'u32'] },
} as const satisfies StructLayout;

/** struct ifaddrmsg: an address of a link. */
export const ifaddrmsg = {
  size: 8,
  fields: { family: [0, 'u8'], prefixLength: [1, 'u8'], flags: [2, 'u8'], scope: [3, 'u8'], index: [4, 'u32'] },
} as const satisfies StructLayout;

/** struct rtmsg: a route. */
export const rtmsg = {
  size: 12,
  fields: {
    family: [0, 'u8'],
    destinationLength: [1, 'u8'],
    sourceLength: [2, 'u8'],
    tos: [3, 'u8'],
    table: [4, 'u8'],
    protocol: [5, 'u8'],
    scope: [6, 'u8'],
    type: [7, 'u8'],
    flags: [8, 'u32'],
  },
} as const satisfies StructLayout;

/** IFLA_INFO_*: what kind of link it is. The payload of `data` and `portData` depends on the kind. */
const linkInfoAttributes = {
  kind: [1, 'string'],
  data: [2, 'bytes'],
  portKind: [4, 'string'],
  portData: [5, 'bytes'],
} as const satisfies AttributeTable;

/** IFLA_*: a link's attributes. */
export const linkAttributes = {
  address: [1, 'bytes'],
  name: [3, 'string'],
  mtu: [4, 'u32'],
  master: [10, 'u32'],
  transmitQueueLength: [13, 'u32'],
  info: [18, linkInfoAttributes],
  netNsPid: [19, 'u32'],
  netNsFd: [28, 'u32'],
} as const satisfies AttributeTable;

/** IFLA_BR_*: a bridge. */
export const bridgeAttributes = {
  forwardDelay: [1, 'u32'],
  stpState: [5, 'u32'],
  multicastSnooping: [23, 'u8'],
} as const satisfies AttributeTable;

/** IFLA_BRPORT_*: a bridge's port. */
export const bridgePortAttributes = { isolated: [33, 'u8'] } as const satisfies AttributeTable;

/** VETH_INFO_PEER: a struct ifinfomsg and the attributes of the other end. */
export const vethAttributes = { peer: [1, 'bytes'] } as const satisfies AttributeTable;

/** IFA_*: an address. */
export const addressAttributes = {
  address: [1, 'bytes'],
  local: [2, 'bytes'],
  broadcast: [4, 'bytes'],
} as const satisfies AttributeTable;

/** RTA_*: a route. */
export const routeAttributes = {
  destination: [1, 'bytes'],
  outputLink: [4, 'u32'],
  gateway: [5, 'bytes'],
} as const satisfies AttributeTable;

/** NLMSGERR_ATTR_*: what the kernel adds to an error when NETLINK_EXT_ACK is set. */
export const errorAttributes = { message: [1, 'string'] } as const satisfies AttributeTable;

/** Types of messages. */
export const messageTypes = {
  error: 2,
  done: 3,
  newLink: 16,
  deleteLink: 17,
  getLink: 18,
  newAddress: 20,
  newRoute: 24,
} as const;

/** NLM_F_*: flags of a message. */
export const messageFlags = {
  request: 0x1,
  ack: 0x4,
  dump: 0x300,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  /** On errors: the original request is not repeated behind the error, only its header (NLM_F_CAPPED). */
  capped: 0x100,
  /** On errors: attributes follow (NLM_F_ACK_TLVS). */
  ackAttributes: 0x200,
} as const;
