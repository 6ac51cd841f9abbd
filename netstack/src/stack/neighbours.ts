/**
 * Who is on the link: IP address -> MAC address, for IPv4 (RFC 826) and IPv6 (RFC 4861) alike.
 *
 * Entries are learned from frames that passed admission (admission.ts), and solicited when we have something to send to an
 * address not heard of yet: {@link ATTEMPTS} times, then what was held is dropped and the neighbour counts as unreachable until
 * it is heard of again. A TCP connection in its handshake looks at `unreachable` and gives up early.
 */
import type { Frame } from '../link/device.ts';
import { IpAddress, MAC_LENGTH } from '../wire/address.ts';
import type { IpVersion } from '../wire/address.ts';
import type { Drops } from './counters.ts';
import type { KeyedHash } from './keyed-hash.ts';
import type { Path } from './path.ts';
import { Timer } from './timer-queue.ts';
import type { TimerQueue } from './timer-queue.ts';

const ATTEMPTS = 3;
/** RFC 4861, 10: RETRANS_TIMER is 1 s; a link inside one machine needs less patience. */
const INTERVAL_MS = 500;
/** Frames that wait for one resolution; RFC 1122, 2.3.2.2 asks for at least one. */
const MAX_HELD = 16;
const MAX_NEIGHBOURS = 8192;

export class Neighbour {
  readonly address: IpAddress;
  readonly mac = new Uint8Array(MAC_LENGTH);
  macAsNumber = -1;
  resolved = false;
  /** The only MAC address that may use this one (admission.ts); -1: any. */
  pinned = -1;
  /** Solicited in vain. */
  unreachable = false;
  /** The path from it that was used last (Stack.path). */
  lastPath: Path | undefined;
  /** Hash chain of the table. */
  next: Neighbour | undefined;
  readonly #table: Neighbours;
  readonly #timer: Timer;
  #held: Frame[] = [];
  #attempts = 0;

  constructor(address: IpAddress, table: Neighbours, timers: TimerQueue) {
    this.address = address;
    this.#table = table;
    this.#timer = new Timer(timers, () => this.#retry());
  }

  /** The neighbour was heard of under this MAC address. */
  learn(view: DataView, at: number, mac: number): void {
    this.unreachable = false;
    if (this.#timer.armed) this.#timer.dispose();
    if (this.resolved && mac === this.macAsNumber) return;
    for (let index = 0; index < MAC_LENGTH; index++) this.mac[index] = view.getUint8(at + index);
    this.macAsNumber = mac;
    this.resolved = true;
    const held = this.#held;
    this.#held = [];
    for (const frame of held) {
      frame.bytes.set(this.mac, frame.start);
      this.#table.transmit(frame);
    }
  }

  /** Keeps a copy of the frame until the MAC address is known, and asks for it. */
  hold(frame: Frame): void {
    if (this.#held.length >= MAX_HELD) {
      this.#table.drops.neighbourUnreachable++;
      return;
    }
    this.#held.push(frame.copy());
    if (!this.#timer.armed) this.solicit();
  }

  /** Asks again, e.g. because nothing came back over the address that is known. */
  solicit(): void {
    if (this.#timer.armed) return;
    this.#attempts = 0;
    this.#ask();
  }

  dispose(): void {
    this.#timer.dispose();
    this.#held = [];
  }

  #ask(): void {
    this.#attempts++;
    this.#timer.set(INTERVAL_MS);
    this.#table.solicit(this.address);
  }

  #retry(): void {
    if (this.#attempts < ATTEMPTS) {
      this.#ask();
      return;
    }
    this.resolved = false;
    this.unreachable = true;
    this.#table.drops.neighbourUnreachable += this.#held.length;
    this.#held = [];
  }
}

export class Neighbours {
  readonly drops: Drops;
  readonly transmit: (frame: Frame) => void;
  /** Sends an ARP request or a neighbour solicitation. */
  readonly solicit: (address: IpAddress) => void;
  readonly #timers: TimerQueue;
  readonly #hash: KeyedHash;
  readonly #entries = new Map<number, Neighbour>();
  #size = 0;

  constructor(options: {
    drops: Drops;
    timers: TimerQueue;
    hash: KeyedHash;
    transmit: (frame: Frame) => void;
    solicit: (address: IpAddress) => void;
  }) {
    this.drops = options.drops;
    this.#timers = options.timers;
    this.#hash = options.hash;
    this.transmit = options.transmit;
    this.solicit = options.solicit;
  }

  /** The neighbour whose address stands at `at`, if it is known. */
  find(view: DataView, at: number, version: IpVersion): Neighbour | undefined {
    for (let entry = this.#entries.get(this.#keyAt(view, at, version)); entry !== undefined; entry = entry.next) {
      if (entry.address.version === version && entry.address.isAt(view, at)) return entry;
    }
    return undefined;
  }

  /** Whether somebody on the link was heard of under this address. */
  isResolved(address: IpAddress): boolean {
    return (
      this.find(new DataView(address.bytes.buffer, address.bytes.byteOffset), 0, address.version)?.resolved ?? false
    );
  }

  /** The neighbour with this address, made when it is new; undefined when the table is full. */
  get(address: IpAddress): Neighbour | undefined {
    const view = new DataView(address.bytes.buffer, address.bytes.byteOffset);
    const found = this.find(view, 0, address.version);
    if (found) return found;
    if (this.#size >= MAX_NEIGHBOURS) {
      this.drops.neighbourLimit++;
      return undefined;
    }
    const entry = new Neighbour(address, this, this.#timers);
    const key = this.#keyAt(view, 0, address.version);
    entry.next = this.#entries.get(key);
    this.#entries.set(key, entry);
    this.#size++;
    return entry;
  }

  close(): void {
    for (const first of this.#entries.values())
      for (let entry: Neighbour | undefined = first; entry; entry = entry.next) entry.dispose();
    this.#entries.clear();
  }

  #keyAt(view: DataView, at: number, version: IpVersion): number {
    const hash = this.#hash;
    hash.start();
    for (let offset = 0; offset < (version === 4 ? 4 : 16); offset += 4) hash.add(view.getInt32(at + offset));
    return hash.finish();
  }
}
