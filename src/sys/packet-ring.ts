/**
 * Frames of a network namespace, as the kernel writes them into a ring of ours: a packet socket with TPACKET_V3
 * (packet(7), linux/if_packet.h, Documentation/networking/packet_mmap.rst). The socket may come from another process:
 * it belongs to the namespace in which it was made.
 *
 * The ring is of blocks; the kernel fills one with frames of any length, and hands it over when it is full or some time
 * has passed.
 */
import { closeSync } from 'node:fs';
import { koffi, native } from './koffi.ts';
import { check } from './system-error.ts';

const setsockopt = native('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint']);
const getsockopt = native('getsockopt', 'int', ['int', 'int', 'int', 'void *', 'void *']);
const mmap = native('mmap', 'intptr_t', ['intptr_t', 'size_t', 'int', 'int', 'int', 'long']);
const munmap = native('munmap', 'int', ['intptr_t', 'size_t']);

const SOL_PACKET = 263;
const OPTION = { RX_RING: 5, STATISTICS: 6, VERSION: 10 } as const;
const TPACKET_V3 = 2;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;

/** socket(2)'s arguments: AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, ETH_P_ALL in network order. */
export const packetSocketArguments = [17, 3 | 0o2000000, 0x0300] as const;

/** 32 blocks of 1 MiB, each handed over after 50 ms at the latest. */
const RING = { blockSize: 1 << 20, blocks: 32, frameSize: 1 << 16, timeout: 50 } as const;

/** Milliseconds after which all that came before has been handed over. */
export const handoverTime = 2 * RING.timeout;

/** struct tpacket_block_desc with its tpacket_hdr_v1. */
const BLOCK = { status: 8, packets: 12, first: 16 } as const;
const STATUS = { KERNEL: 0, USER: 1 } as const;

/** struct tpacket3_hdr, then a struct sockaddr_ll. */
const PACKET = { next: 0, seconds: 4, nanoseconds: 8, captured: 12, length: 16, mac: 24, address: 48 } as const;
const ADDRESS = { index: 4, type: 10 } as const;
const PACKET_OUTGOING = 4;

export interface RingPacket {
  /** As much of it as was captured; the ring's own memory, valid during the callback alone. */
  readonly bytes: Uint8Array;
  /** Its length on the link. */
  readonly length: number;
  /** Nanoseconds since 1970. */
  readonly time: bigint;
  /** Index of the interface, and whether the namespace sent it. */
  readonly interface: number;
  readonly isOutgoing: boolean;
}

export class PacketRing implements Disposable {
  readonly fd: number;
  readonly #address: number;
  readonly #view: DataView;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  #block = 0;

  /** Takes the socket over, which is readable whenever a block is there. */
  constructor(fd: number) {
    this.fd = fd;
    const version = Buffer.alloc(4);
    version.writeInt32LE(TPACKET_V3);
    check(setsockopt(fd, SOL_PACKET, OPTION.VERSION, version, version.length), 'setsockopt');
    // struct tpacket_req3: block size and number, frame size and number, timeout, private size, features.
    const { blockSize, blocks, frameSize, timeout } = RING;
    const request = Buffer.alloc(28);
    for (const [i, value] of [blockSize, blocks, frameSize, (blockSize / frameSize) * blocks, timeout].entries()) {
      request.writeUInt32LE(value, 4 * i);
    }
    check(setsockopt(fd, SOL_PACKET, OPTION.RX_RING, request, request.length), 'setsockopt');
    const size = blockSize * blocks;
    this.#address = check(mmap(0, size, PROT_READ_WRITE, MAP_SHARED, fd, 0), 'mmap');
    const memory = koffi.view(BigInt(this.#address), size);
    this.#view = new DataView(memory);
    this.#words = new Int32Array(memory);
    this.#bytes = new Uint8Array(memory);
  }

  /** Passes on all packets of the blocks that are there. */
  drain(take: (packet: RingPacket) => void): void {
    for (;;) {
      const block = this.#block * RING.blockSize;
      const status = (block + BLOCK.status) / 4;
      if ((Atomics.load(this.#words, status) & STATUS.USER) === 0) return;
      this.#readBlock(block, take);
      Atomics.store(this.#words, status, STATUS.KERNEL);
      this.#block = (this.#block + 1) % RING.blocks;
    }
  }

  /** How many packets came, and how many of them found the ring full, since the last call. */
  statistics(): { received: number; dropped: number } {
    // struct tpacket_stats_v3: packets, drops, freezes of the queue.
    const statistics = Buffer.alloc(12);
    const length = Buffer.from([statistics.length, 0, 0, 0]);
    check(getsockopt(this.fd, SOL_PACKET, OPTION.STATISTICS, statistics, length), 'getsockopt');
    return { received: statistics.readUInt32LE(0), dropped: statistics.readUInt32LE(4) };
  }

  [Symbol.dispose](): void {
    munmap(this.#address, RING.blockSize * RING.blocks);
    closeSync(this.fd);
  }

  #readBlock(block: number, take: (packet: RingPacket) => void): void {
    const view = this.#view;
    let at = block + view.getUint32(block + BLOCK.first, true);
    for (let count = view.getUint32(block + BLOCK.packets, true); count > 0; count--) {
      const start = at + view.getUint16(at + PACKET.mac, true);
      const seconds = BigInt(view.getUint32(at + PACKET.seconds, true));
      take({
        bytes: this.#bytes.subarray(start, start + view.getUint32(at + PACKET.captured, true)),
        length: view.getUint32(at + PACKET.length, true),
        time: seconds * 1_000_000_000n + BigInt(view.getUint32(at + PACKET.nanoseconds, true)),
        interface: view.getInt32(at + PACKET.address + ADDRESS.index, true),
        isOutgoing: view.getUint8(at + PACKET.address + ADDRESS.type) === PACKET_OUTGOING,
      });
      at += view.getUint32(at + PACKET.next, true);
    }
  }
}
