/** ARP (RFC 826): answers for our addresses, asks for others', learns from what admission lets pass. */
import { HEADROOM } from '../link/device.ts';
import type { Frame } from '../link/device.ts';
import { BROADCAST_MAC, IpAddress } from '../wire/address.ts';
import { ARP, ARP_OPERATION, isArp, writeArp } from '../wire/arp.ts';
import type { ArpFields } from '../wire/arp.ts';
import { ETHERNET, ETHER_TYPE, writeEthernet } from '../wire/ethernet.ts';
import type { Stack } from './stack.ts';

const NO_MAC = new Uint8Array(6);

export class ArpResponder {
  readonly #stack: Stack;

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  input(frame: Frame): void {
    const { bytes, view, start, end } = frame;
    const stack = this.#stack;
    const at = start + ETHERNET.size;
    if (!isArp(view, at, end)) {
      stack.drops.malformed++;
      return;
    }
    const senderMac = bytes.slice(at + ARP.senderMac, at + ARP.senderMac + 6);
    const sourceMac = bytes.subarray(start + ETHERNET.source, start + ETHERNET.source + 6);
    const sender = IpAddress.read(bytes, at + ARP.senderAddress, 4);
    const target = IpAddress.read(bytes, at + ARP.targetAddress, 4);
    // The frame must come from whom it speaks for, or one container could redirect another's traffic.
    const consistent = senderMac.every((byte, index) => byte === sourceMac[index]);
    // RFC 5227: a probe asks with the sender address unspecified, and is answered too.
    const admitted = sender.isUnspecified
      ? stack.admission.admitsMac(view, at + ARP.senderMac)
      : stack.admission.admits(view, at + ARP.senderMac, at + ARP.senderAddress, 4);
    if (!consistent || !admitted) {
      stack.drops.spoofedSource++;
      return;
    }
    if (view.getUint16(at + ARP.operation) !== ARP_OPERATION.REQUEST || !stack.isLocal(target)) return;
    this.#send(senderMac, {
      operation: ARP_OPERATION.REPLY,
      senderMac: stack.mac,
      senderAddress: target.bytes,
      targetMac: senderMac,
      targetAddress: sender.bytes,
    });
  }

  solicit(address: IpAddress): void {
    const stack = this.#stack;
    const own = stack.subnets.find(({ address: local }) => local.version === 4);
    if (!own) return;
    this.#send(BROADCAST_MAC, {
      operation: ARP_OPERATION.REQUEST,
      senderMac: stack.mac,
      senderAddress: own.address.bytes,
      targetMac: NO_MAC,
      targetAddress: address.bytes,
    });
  }

  #send(destination: Uint8Array, fields: ArpFields): void {
    const { output, mac, device } = this.#stack;
    output.start = HEADROOM;
    writeEthernet(output.bytes, HEADROOM, destination, mac, ETHER_TYPE.ARP);
    writeArp(output.bytes, output.view, HEADROOM + ETHERNET.size, fields);
    output.plain(ETHERNET.size + ARP.size);
    device.transmit(output);
  }
}
