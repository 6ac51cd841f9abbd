/**
 * What a server tells the kernel unasked. Results are 0 or `-errno`; ENOENT means that the kernel does not know the node, so
 * there was nothing to do. Not to be called while a request is being answered: the kernel may hold a lock then that the
 * notification needs, and the reply is being written to the same memory.
 */
import { notifyCodes } from '../protocol/flags.ts';
import { structs } from '../protocol/structs.ts';
import type { Transport } from '../transport/transport.ts';
import type { Bytes } from './file-system.ts';
import type { Exchange } from './exchange.ts';

const { notifyInvalInodeOut, notifyInvalEntryOut, notifyStoreOut } = structs;

export class Notifier {
  readonly #transport: Transport;
  readonly #exchange: Exchange;

  constructor(transport: Transport, exchange: Exchange) {
    this.#transport = transport;
    this.#exchange = exchange;
  }

  /** The attributes of a node changed, and `length` bytes of its contents from `offset` (0: to the end, -1: only attributes). */
  invalidateNode(nodeId: number, offset: number, length: number): number {
    const x = this.#exchange;
    x.put64(notifyInvalInodeOut.at.ino, nodeId);
    x.put64(notifyInvalInodeOut.at.off, offset);
    x.put64(notifyInvalInodeOut.at.len, length);
    return this.send(notifyCodes.INVAL_INODE, notifyInvalInodeOut.size);
  }

  /** A name in a directory is not what the kernel believes. */
  invalidateEntry(parent: number, name: Uint8Array): number {
    const x = this.#exchange;
    x.put64(notifyInvalEntryOut.at.parent, parent);
    x.put32(notifyInvalEntryOut.at.namelen, name.length);
    x.put32(notifyInvalEntryOut.at.flags, 0);
    x.putBytes(notifyInvalEntryOut.size, name);
    x.putBytes(notifyInvalEntryOut.size + name.length, nul);
    return this.send(notifyCodes.INVAL_ENTRY, notifyInvalEntryOut.size + name.length + 1);
  }

  /** Room for contents to `store`; fill it first. */
  storeRoom(length: number): Bytes {
    return this.#exchange.openRoom(length, notifyStoreOut.size);
  }

  /** Puts `length` bytes of the room into the page cache of a node, at `offset`. */
  store(nodeId: number, offset: number, length: number): number {
    const x = this.#exchange;
    x.put64(notifyStoreOut.at.nodeid, nodeId);
    x.put64(notifyStoreOut.at.offset, offset);
    x.put32(notifyStoreOut.at.size, length);
    x.put32(notifyStoreOut.at.padding, 0);
    return this.send(notifyCodes.STORE, notifyStoreOut.size + length);
  }

  /** Sends a notification whose payload lies in the exchange. */
  send(code: number, payload: number): number {
    const x = this.#exchange;
    return Math.min(this.#transport.send(x.outputAddress, x.finishNotification(code, payload)), 0);
  }
}

const nul = new Uint8Array(1);
