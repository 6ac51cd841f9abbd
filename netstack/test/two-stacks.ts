/** Two stacks on one simulated wire, a clock that the test turns, and applications that check every byte. */
import type { Device } from '../src/link/device.ts';
import { FaultInjector, seededRandom } from '../src/link/fault-injector.ts';
import type { Faults } from '../src/link/fault-injector.ts';
import { pair } from '../src/link/pair.ts';
import type { PairOptions } from '../src/link/pair.ts';
import { Stack } from '../src/stack/stack.ts';
import { TimerQueue } from '../src/stack/timer-queue.ts';
import type { Connection } from '../src/tcp/connection.ts';
import { STREAM_END } from '../src/tcp/stream-application.ts';
import type { CloseReason, StreamApplication } from '../src/tcp/stream-application.ts';
import type { TcpLimits } from '../src/tcp/tcp-limits.ts';
import { IpAddress, Subnet } from '../src/wire/address.ts';

export interface WireOptions extends PairOptions, Faults {
  readonly seed?: number;
  readonly mtu?: number;
  readonly tcp?: Partial<TcpLimits>;
  readonly ipv6?: boolean;
  /** The clock. Default: one of the stacks' own, which `run` turns. */
  readonly timers?: TimerQueue;
}

export interface TwoStacks {
  readonly timers: TimerQueue;
  readonly left: Stack;
  readonly right: Stack;
  readonly leftAddress: IpAddress;
  readonly rightAddress: IpAddress;
  /** Turns the clock until `done` or until `limit` ms have passed; returns whether it was done. */
  run(done: () => boolean, limit?: number): boolean;
}

export function twoStacks(options: WireOptions = {}): TwoStacks {
  const timers = options.timers ?? new TimerQueue();
  const random = seededRandom(options.seed ?? 1);
  const [one, other] = pair(timers, options);
  const addresses = (options.ipv6 === true ? ['fd00::1', 'fd00::2'] : ['10.0.0.1', '10.0.0.2']).map((text) =>
    IpAddress.from(text),
  );
  const [left, right] = [one, other].map((end, index) => {
    const device: Device = new FaultInjector(end, options, timers, random);
    const stack = new Stack({
      device,
      timers,
      mac: Uint8Array.of(2, 0, 0, 0, 0, index + 1),
      mtu: options.mtu ?? 1500,
      subnets: [new Subnet(addresses[index]!, options.ipv6 === true ? 64 : 24)],
      random: (bytes) => bytes.forEach((_, at) => (bytes[at] = Math.floor(random() * 256))),
      ...(options.tcp && { tcp: options.tcp }),
    });
    end.onFrame = (frame) => {
      stack.input(frame);
      stack.flush();
    };
    return stack;
  });
  return {
    timers,
    left: left!,
    right: right!,
    leftAddress: addresses[0]!,
    rightAddress: addresses[1]!,
    run: (done, limit = 600_000) => {
      const end = timers.now + limit;
      while (!done()) {
        const next = timers.nextDeadline;
        if (next === Infinity || next > end) return done();
        timers.advance(Math.max(next, timers.now));
        left!.flush();
        right!.flush();
      }
      return true;
    },
  };
}

/** Sends a given stream and collects what it receives. */
export class TestApplication implements StreamApplication {
  connection: Connection | undefined;
  readonly received: Uint8Array[] = [];
  receivedBytes = 0;
  /** Bytes that it will take before it stops taking. */
  appetite = Infinity;
  isEstablished = false;
  gotEnd = false;
  reason: CloseReason | undefined;
  /** Whether the stream ends after `outgoing`. */
  ends = true;
  outgoing: Uint8Array;
  #sent = 0;

  constructor(outgoing: Uint8Array = new Uint8Array(0)) {
    this.outgoing = outgoing;
  }

  established(): void {
    this.isEstablished = true;
    this.connection?.pump();
  }

  receive(bytes: Uint8Array, start: number, length: number): number {
    const taken = Math.min(length, this.appetite);
    this.appetite -= taken;
    this.received.push(bytes.slice(start, start + taken));
    this.receivedBytes += taken;
    return taken;
  }

  receivedEnd(): void {
    this.gotEnd = true;
  }

  peek(position: number, target: Uint8Array, at: number, length: number): number {
    const from = this.#sent + position;
    if (from >= this.outgoing.length) return this.ends ? STREAM_END : 0;
    const part = this.outgoing.subarray(from, from + length);
    target.set(part, at);
    return part.length;
  }

  acknowledged(count: number): void {
    this.#sent += count;
  }

  closed(reason: CloseReason): void {
    this.reason = reason;
  }

  get bytes(): Uint8Array {
    return Buffer.concat(this.received);
  }
}
