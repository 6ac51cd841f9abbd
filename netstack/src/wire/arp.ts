/** Address resolution for IPv4 over Ethernet (RFC 826). */
import { ETHER_TYPE } from './ethernet.ts';

export const ARP = {
  size: 28,
  hardware: 0,
  protocol: 2,
  hardwareLength: 4,
  protocolLength: 5,
  operation: 6,
  senderMac: 8,
  senderAddress: 14,
  targetMac: 18,
  targetAddress: 24,
} as const;

export const ARP_OPERATION = { REQUEST: 1, REPLY: 2 } as const;

const HARDWARE_ETHERNET = 1;

/** Whether [at, end) holds an ARP packet for IPv4 over Ethernet. */
export function isArp(view: DataView, at: number, end: number): boolean {
  return (
    end - at >= ARP.size &&
    view.getUint16(at + ARP.hardware) === HARDWARE_ETHERNET &&
    view.getUint16(at + ARP.protocol) === ETHER_TYPE.IPV4 &&
    view.getUint8(at + ARP.hardwareLength) === 6 &&
    view.getUint8(at + ARP.protocolLength) === 4
  );
}

export interface ArpFields {
  readonly operation: number;
  readonly senderMac: Uint8Array;
  readonly senderAddress: Uint8Array;
  readonly targetMac: Uint8Array;
  readonly targetAddress: Uint8Array;
}

export function writeArp(bytes: Uint8Array, view: DataView, at: number, fields: ArpFields): void {
  view.setUint16(at + ARP.hardware, HARDWARE_ETHERNET);
  view.setUint16(at + ARP.protocol, ETHER_TYPE.IPV4);
  view.setUint8(at + ARP.hardwareLength, 6);
  view.setUint8(at + ARP.protocolLength, 4);
  view.setUint16(at + ARP.operation, fields.operation);
  bytes.set(fields.senderMac, at + ARP.senderMac);
  bytes.set(fields.senderAddress, at + ARP.senderAddress);
  bytes.set(fields.targetMac, at + ARP.targetMac);
  bytes.set(fields.targetAddress, at + ARP.targetAddress);
}
