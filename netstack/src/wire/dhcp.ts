/** DHCPv4 messages (RFC 2131) and the options that a small server needs (RFC 2132). */
import { IpAddress } from './address.ts';

export const DHCP = {
  operation: 0,
  hardwareType: 1,
  hardwareLength: 2,
  transaction: 4,
  flags: 10,
  clientAddress: 12,
  yourAddress: 16,
  serverAddress: 20,
  clientMac: 28,
  cookie: 236,
  options: 240,
} as const;

export const DHCP_OPERATION = { REQUEST: 1, REPLY: 2 } as const;
export const DHCP_TYPE = {
  DISCOVER: 1,
  OFFER: 2,
  REQUEST: 3,
  DECLINE: 4,
  ACK: 5,
  NAK: 6,
  RELEASE: 7,
  INFORM: 8,
} as const;
export const DHCP_OPTION = {
  MASK: 1,
  ROUTER: 3,
  DNS: 6,
  MTU: 26,
  BROADCAST: 28,
  REQUESTED_ADDRESS: 50,
  LEASE_TIME: 51,
  TYPE: 53,
  SERVER: 54,
  END: 255,
} as const;

const COOKIE = 0x63825363;
/** RFC 951: what old clients insist on. */
const MINIMUM_SIZE = 300;

export interface DhcpRequest {
  readonly type: number;
  readonly transaction: number;
  readonly flags: number;
  readonly clientAddress: IpAddress;
  readonly mac: Uint8Array;
  readonly requested: IpAddress | undefined;
  readonly server: IpAddress | undefined;
}

/** Undefined: malformed, not from a client, or not over Ethernet. */
export function parseDhcp(message: Uint8Array): DhcpRequest | undefined {
  if (message.length < DHCP.options) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  if (message[DHCP.operation] !== DHCP_OPERATION.REQUEST || message[DHCP.hardwareType] !== 1) return undefined;
  if (message[DHCP.hardwareLength] !== 6 || view.getUint32(DHCP.cookie) !== COOKIE) return undefined;
  const options = parseOptions(message);
  const type = options.get(DHCP_OPTION.TYPE)?.[0];
  if (type === undefined) return undefined;
  return {
    type,
    transaction: view.getUint32(DHCP.transaction),
    flags: view.getUint16(DHCP.flags),
    clientAddress: IpAddress.read(message, DHCP.clientAddress, 4),
    mac: message.slice(DHCP.clientMac, DHCP.clientMac + 6),
    requested: addressOption(options.get(DHCP_OPTION.REQUESTED_ADDRESS)),
    server: addressOption(options.get(DHCP_OPTION.SERVER)),
  };
}

export interface DhcpReply {
  readonly yourAddress: IpAddress | undefined;
  readonly serverAddress: IpAddress;
  /** In this order, after the message type. */
  readonly options: readonly (readonly [option: number, value: Uint8Array])[];
}

export function buildDhcp(request: DhcpRequest, type: number, reply: DhcpReply): Uint8Array {
  const bytes: number[] = [];
  for (const [option, value] of [[DHCP_OPTION.TYPE, Uint8Array.of(type)] as const, ...reply.options])
    bytes.push(option, value.length, ...value);
  bytes.push(DHCP_OPTION.END);
  const message = new Uint8Array(Math.max(MINIMUM_SIZE, DHCP.options + bytes.length));
  const view = new DataView(message.buffer);
  message.set([DHCP_OPERATION.REPLY, 1, 6, 0]);
  view.setUint32(DHCP.transaction, request.transaction);
  view.setUint16(DHCP.flags, request.flags);
  message.set(request.clientAddress.bytes, DHCP.clientAddress);
  if (reply.yourAddress) message.set(reply.yourAddress.bytes, DHCP.yourAddress);
  message.set(reply.serverAddress.bytes, DHCP.serverAddress);
  message.set(request.mac, DHCP.clientMac);
  view.setUint32(DHCP.cookie, COOKIE);
  message.set(bytes, DHCP.options);
  return message;
}

function parseOptions(message: Uint8Array): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>();
  let at: number = DHCP.options;
  while (at < message.length) {
    const option = message[at]!;
    if (option === DHCP_OPTION.END) break;
    const length = option === 0 ? -1 : message[at + 1];
    if (length === undefined || at + 2 + length > message.length) break;
    if (length >= 0) options.set(option, message.subarray(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return options;
}

function addressOption(value: Uint8Array | undefined): IpAddress | undefined {
  return value?.length === 4 ? new IpAddress(value.slice()) : undefined;
}
