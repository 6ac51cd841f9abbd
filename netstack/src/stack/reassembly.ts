/**
 * Reassembly of IP fragments (RFC 791, 3.2; RFC 8200, 4.5), made to be attacked.
 *
 * Limits: packets in progress, their bytes in all, fragments of one packet, and RFC 1122's and 8200's time. Fragments that
 * overlap end the whole packet (RFC 5722; for IPv4 as Linux has done since 2018): legitimate senders do not make them.
 * When a limit is hit, the oldest packets in progress make room.
 */
import type { Drops } from './counters.ts';
import type { IpPacket } from './packet.ts';
import { Timer } from './timer-queue.ts';
import type { TimerQueue } from './timer-queue.ts';

const MAX_PACKETS = 256;
const MAX_BYTES = 4 << 20;
/** A full packet at the minimum MTU of 576 has 119. */
const MAX_FRAGMENTS = 128;
/** RFC 1122, 3.3.2 says 60 to 120 s; Linux 30 s. On a link without transit, pieces that come come at once. */
const TIMEOUT_MS = 30_000;
const MAX_PACKET = 65_535;
/** What is kept of a first fragment: an error about it quotes no more. */
const QUOTED = 576;

interface Piece {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

interface Partial {
  readonly key: string;
  readonly expires: number;
  readonly pieces: Piece[];
  bytes: number;
  /** The beginning of the first fragment, with its header, once that one is here. */
  first: IpPacket | undefined;
  /** Length of the whole, known once the last fragment is here; -1 before. */
  total: number;
}

export class Reassembly {
  readonly #timers: TimerQueue;
  readonly #drops: Drops;
  readonly #onExpired: (first: IpPacket) => void;
  readonly #expiry: Timer;
  /** In order of arrival of their first fragment. */
  readonly #partials = new Map<string, Partial>();
  #bytes = 0;

  /** @param onExpired is told of a packet that stayed incomplete and whose first fragment had come */
  constructor(timers: TimerQueue, drops: Drops, onExpired: (first: IpPacket) => void = () => undefined) {
    this.#onExpired = onExpired;
    this.#timers = timers;
    this.#drops = drops;
    this.#expiry = new Timer(timers, () => this.#expire());
  }

  /** Bytes held. */
  get held(): number {
    return this.#bytes;
  }

  /**
   * Takes the payload of a fragment. `key` identifies its packet: addresses, protocol, identification. Returns the payload of the
   * whole packet when this was the last piece missing.
   * @param packet the fragment as it came
   */
  add(key: string, offset: number, more: boolean, payload: Uint8Array, packet?: IpPacket): Uint8Array | undefined {
    // All but the last have to be a multiple of 8 long (RFC 791), and nothing may reach beyond an IP packet (ping of death).
    if (payload.length === 0 || (more && payload.length % 8 !== 0) || offset + payload.length > MAX_PACKET) {
      this.#drops.malformed++;
      return undefined;
    }
    const partial = this.#partials.get(key) ?? this.#open(key);
    if (!this.#insert(partial, offset, more, payload)) {
      this.#drop(partial);
      this.#drops.malformed++;
      return undefined;
    }
    if (partial.bytes !== partial.total) {
      if (offset === 0) partial.first ??= packet?.copy(QUOTED);
      while (this.#bytes > MAX_BYTES) this.#evict();
      return undefined;
    }
    this.#drop(partial);
    const whole = new Uint8Array(partial.total);
    for (const piece of partial.pieces) whole.set(piece.bytes, piece.offset);
    return whole;
  }

  close(): void {
    this.#partials.clear();
    this.#expiry.dispose();
  }

  #insert(partial: Partial, offset: number, more: boolean, payload: Uint8Array): boolean {
    const end = offset + payload.length;
    const { pieces } = partial;
    if (pieces.some((piece) => piece.offset === offset && piece.bytes.length === payload.length)) return true; // a duplicate
    if (pieces.length >= MAX_FRAGMENTS) return false;
    if (pieces.some((piece) => offset < piece.offset + piece.bytes.length && piece.offset < end)) return false;
    if (!more && (partial.total >= 0 || pieces.some((piece) => piece.offset > offset))) return false;
    if (more && partial.total >= 0 && end > partial.total) return false;
    if (!more) partial.total = end;
    pieces.push({ offset, bytes: payload.slice() });
    partial.bytes += payload.length;
    this.#bytes += payload.length;
    return true;
  }

  #open(key: string): Partial {
    while (this.#partials.size >= MAX_PACKETS) this.#evict();
    const partial: Partial = {
      key,
      expires: this.#timers.now + TIMEOUT_MS,
      pieces: [],
      bytes: 0,
      first: undefined,
      total: -1,
    };
    this.#partials.set(key, partial);
    if (!this.#expiry.armed) this.#expiry.set(TIMEOUT_MS);
    return partial;
  }

  #drop(partial: Partial): void {
    this.#partials.delete(partial.key);
    this.#bytes -= partial.bytes;
  }

  #evict(): void {
    for (const oldest of this.#partials.values()) {
      this.#drop(oldest);
      this.#drops.fragmentLimit++;
      return;
    }
  }

  #expire(): void {
    for (const partial of this.#partials.values()) {
      if (partial.expires > this.#timers.now) {
        this.#expiry.set(partial.expires - this.#timers.now);
        return;
      }
      this.#drop(partial);
      this.#drops.fragmentLimit++;
      if (partial.first) this.#onExpired(partial.first);
    }
  }
}
