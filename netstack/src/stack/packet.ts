/** A received IP packet whose header was checked, as views into its frame. One instance is reused for all. */
import { IpAddress } from '../wire/address.ts';
import type { IpVersion } from '../wire/address.ts';
import { addBytes, verifies } from '../wire/checksum.ts';

export class IpPacket {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);
  version: IpVersion = 4;
  /** Where the IP header starts. */
  start = 0;
  sourceAt = 0;
  destinationAt = 0;
  protocol = 0;
  /** Where `protocol` is named. */
  protocolAt = 0;
  /** TTL or hop limit. */
  ttl = 0;
  /** The transport header and its payload: [payloadStart, end). */
  payloadStart = 0;
  end = 0;
  /** The device vouches for the transport checksum. */
  trusted = false;
  /** Size of the pieces that the device joined; 0: it is one. */
  segmentSize = 0;
  /** Sent to a group or to everybody on the link. */
  multicast = false;

  /** A copy to keep, of no more than the first `limit` bytes. */
  copy(limit: number): IpPacket {
    const { start } = this;
    const kept = Object.assign(new IpPacket(), this);
    kept.bytes = this.bytes.slice(start, Math.min(this.end, start + limit));
    kept.view = new DataView(kept.bytes.buffer);
    kept.start = 0;
    kept.sourceAt -= start;
    kept.destinationAt -= start;
    kept.protocolAt -= start;
    kept.payloadStart -= start;
    kept.end = kept.bytes.length;
    return kept;
  }

  source(): IpAddress {
    return IpAddress.read(this.bytes, this.sourceAt, this.version);
  }

  destination(): IpAddress {
    return IpAddress.read(this.bytes, this.destinationAt, this.version);
  }

  /** Whether the checksum over payload and pseudo-header is right. */
  checksumHolds(): boolean {
    if (this.trusted) return true;
    const addresses = addBytes(0, this.view, this.sourceAt, this.sourceAt + (this.version === 4 ? 8 : 32));
    return verifies(
      addBytes(addresses + this.protocol + this.end - this.payloadStart, this.view, this.payloadStart, this.end),
    );
  }
}
