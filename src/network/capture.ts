/**
 * Recording what a running container sends and receives. A packet socket in its network namespace sees every frame, also
 * those that go to containers of the same network and never reach the network process; opening one there takes no
 * privilege but that over a namespace of one's own.
 */
import { CaptureFile } from 'netstack';
import { errorCode } from '../base/error-code.ts';
import { handoverTime, PacketRing, packetSocketArguments, type RingPacket } from '../sys/packet-ring.ts';
import { pidfdOpen } from '../sys/pidfd.ts';
import { Poller } from '../sys/poller.ts';
import { closeSync } from 'node:fs';
import { openRunningNamespace, openRunningSocket } from './running-namespace.ts';

export interface CaptureOptions {
  /** Name of the one interface; absent: all but the loopback. */
  readonly interface?: string;
  /** Bytes of each frame. */
  readonly snapLength: number;
  /** Packets until it ends; absent: no end. */
  readonly count?: number;
}

/** How a capture ended. */
export interface CaptureSummary {
  /** Packets that were written. */
  readonly captured: number;
  /** Packets for which the ring had no room. */
  readonly dropped: number;
}

export interface Capture {
  /** Settles when it has been stopped, has its number of packets, or the container has ended; rejects where `write` threw. */
  readonly ended: Promise<CaptureSummary>;
  stop(): void;
}

/** Starts recording. @param pid of a process in the container @param write takes a pcapng file piece by piece */
export async function startCapture(
  pid: number,
  options: CaptureOptions,
  write: (bytes: Uint8Array) => void,
): Promise<Capture> {
  const wanted = await findInterfaces(pid, options.interface);
  const process_ = pidfdOpen(pid);
  const ring = new PacketRing(await openRunningSocket(pid, packetSocketArguments));
  const poller = new Poller();
  const { promise: ended, resolve, reject } = Promise.withResolvers<CaptureSummary>();
  let pieces: Uint8Array[] = [];
  const file = new CaptureFile((piece) => pieces.push(piece));
  const numbers = new Map([...wanted].map(([index, name]) => [index, file.addInterface(name, options.snapLength)]));
  let captured = 0;
  let isOpen = true;

  function finish(): CaptureSummary {
    isOpen = false;
    poller.unwatch(ring.fd);
    poller.unwatch(process_);
    poller.close();
    const { dropped } = ring.statistics();
    ring[Symbol.dispose]();
    closeSync(process_);
    return { captured, dropped };
  }
  function take({ interface: index, bytes, length, time, isOutgoing }: RingPacket): void {
    const number = numbers.get(index);
    if (number === undefined || captured === options.count) return;
    captured++;
    const direction = isOutgoing ? 'outbound' : 'inbound';
    file.packet({ interface: number, time, bytes: bytes.subarray(0, options.snapLength), length, direction });
  }
  /** Writes what is there; ends the capture where that was the last of it. */
  function record(isLast: () => boolean): void {
    if (!isOpen) return;
    try {
      ring.drain(take);
      if (pieces.length > 0) write(Buffer.concat(pieces));
      pieces = [];
      if (isLast()) resolve(finish());
    } catch (error) {
      const summary = finish();
      // A reader that has seen enough.
      if (errorCode(error) === 'EPIPE') resolve(summary);
      else reject(error);
    }
  }
  record(() => false);
  poller.watch(ring.fd, () => record(() => captured === options.count));
  /** What came until now is still with the kernel. */
  function stop(): void {
    setTimeout(() => record(() => true), handoverTime);
  }
  poller.watch(process_, () => {
    poller.unwatch(process_);
    stop();
  });
  return { ended, stop };
}

/** Index -> name of the interfaces that are wanted. */
async function findInterfaces(pid: number, name: string | undefined): Promise<Map<number, string>> {
  using inside = await openRunningNamespace(pid);
  const links = inside.links().filter((link) => (name === undefined ? link.name !== 'lo' : link.name === name));
  if (name !== undefined && links.length === 0) {
    throw Object.assign(new Error(`the container has no interface ${name}`), { code: 'NOT_FOUND' });
  }
  return new Map(links.map((link) => [link.index, link.name]));
}
