/** Puts a TCP header before the payload in the output frame and sends it. */
import { CHECKSUM, HEADROOM, SEGMENTATION } from '../link/device.ts';
import type { Frame } from '../link/device.ts';
import type { Path } from '../stack/path.ts';
import { addBytes, finish, fold } from '../wire/checksum.ts';
import { PROTOCOL } from '../wire/ipv4.ts';
import { FLAG, TCP, writeSack, writeSynOptions, writeTimestamps } from '../wire/tcp.ts';
import type { Connection } from './connection.ts';

/** Sends a segment of the connection; its payload stands at `connection.payloadStart` in the output frame already. */
export function writeSegment(connection: Connection, sequence: number, flags: number, payloadLength: number): void {
  const { layer, path, receiver } = connection;
  const { output } = layer;
  const { view } = output;
  const at = path.transportStart;
  const acknowledgment = (flags & FLAG.ACK) !== 0 ? receiver.next : 0;
  const syn = (flags & FLAG.SYN) !== 0;
  // RFC 9293, 3.7.1 and RFC 7323, 2.2: the window of a SYN is not scaled.
  const window = syn ? Math.min(0xffff, layer.limits.window) : receiver.announce();
  let optionsEnd = at + TCP.options;
  if (syn) optionsEnd = writeSynOptions(view, optionsEnd, connection.synOptions);
  else {
    if (connection.timestamps)
      optionsEnd = writeTimestamps(view, optionsEnd, layer.timestamp(), connection.recentTimestamp);
    if (payloadLength === 0 && connection.sack && !receiver.outOfOrder.isEmpty) {
      optionsEnd = writeSack(view, optionsEnd, receiver.outOfOrder.blocks());
    }
  }
  writeHeader(view, at, connection, sequence, acknowledgment, optionsEnd - at, flags, window);
  sendSegment(output, path, optionsEnd, payloadLength, connection.sender.mss, layer.completesChecksums);
  if ((flags & FLAG.ACK) !== 0) connection.acknowledgmentSent();
}

/** Sends a reset or acknowledgement that belongs to no connection. */
export function writeBareSegment(
  output: Frame,
  path: Path,
  ports: { localPort: number; remotePort: number },
  fields: { sequence: number; acknowledgment: number; flags: number },
): void {
  const at = path.transportStart;
  writeHeader(output.view, at, ports, fields.sequence, fields.acknowledgment, TCP.size, fields.flags, 0);
  sendSegment(output, path, at + TCP.size, 0, 1, false);
}

function writeHeader(
  view: DataView,
  at: number,
  ports: { readonly localPort: number; readonly remotePort: number },
  sequence: number,
  acknowledgment: number,
  headerLength: number,
  flags: number,
  window: number,
): void {
  view.setUint16(at + TCP.sourcePort, ports.localPort);
  view.setUint16(at + TCP.destinationPort, ports.remotePort);
  view.setUint32(at + TCP.sequence, sequence);
  view.setUint32(at + TCP.acknowledgment, acknowledgment);
  view.setUint8(at + TCP.dataOffset, headerLength << 2);
  view.setUint8(at + TCP.flags, flags);
  view.setUint16(at + TCP.window, window);
  view.setUint16(at + TCP.urgentPointer, 0);
}

function sendSegment(
  output: Frame,
  path: Path,
  payloadAt: number,
  payloadLength: number,
  mss: number,
  partial: boolean,
): void {
  const { view } = output;
  const at = path.transportStart;
  const end = payloadAt + payloadLength;
  const pseudo = path.pseudoSum(PROTOCOL.TCP, end - at);
  if (partial) {
    output.checksum = CHECKSUM.PARTIAL;
    output.checksumStart = at - HEADROOM;
    output.checksumField = output.checksumStart + TCP.checksum;
    view.setUint16(at + TCP.checksum, fold(pseudo));
  } else {
    output.checksum = CHECKSUM.COMPLETE;
    view.setUint16(at + TCP.checksum, 0);
    view.setUint16(at + TCP.checksum, finish(addBytes(pseudo, view, at, end)));
  }
  if (payloadLength > mss) {
    output.segmentation = path.version === 4 ? SEGMENTATION.TCP4 : SEGMENTATION.TCP6;
    output.segmentSize = mss;
    output.headerLength = payloadAt - HEADROOM;
  } else output.segmentation = SEGMENTATION.NONE;
  path.send(end, PROTOCOL.TCP);
}
