/**
 * A NETLINK_ROUTE socket: requests go out in one send, each is acknowledged by the kernel, and refusals become errors.
 *
 * The socket acts on the network namespace in which it was made, with the authority of whoever sends over it. So one
 * that pidfd_getfd(2) took from a process inside a namespace configures that namespace from outside.
 */
import { closeSync } from 'node:fs';
import { align, decodeAttributes, decodeStruct, encodeStruct } from './netlink-attributes.ts';
import { errorAttributes, messageFlags, messageTypes, nlmsghdr } from './netlink-messages.ts';
import { decodeLink, getLink, type Link, listLinks, type NetlinkRequest } from './netlink-requests.ts';
import { native } from './koffi.ts';
import { errorCode } from '../base/error-code.ts';
import { check, describeErrno, systemError, type SystemError } from './system-error.ts';

const socket = native('socket', 'int', ['int', 'int', 'int']);
const setsockopt = native('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint']);
const send = native('send', 'long', ['int', 'void *', 'size_t', 'int']);
const recv = native('recv', 'long', ['int', 'void *', 'size_t', 'int']);

// linux/socket.h, linux/netlink.h
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_ROUTE = 0;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const MSG_DONTWAIT = 0x40;

/** How to make such a socket by raw system calls: socket(2)'s arguments, close-on-exec. */
export const routeSocketArguments = [AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE] as const;

/** Room for one receive. The kernel sizes the parts of a dump by it. */
const receiveSize = 32768;

/** A refused request: `code`, `errno` and `syscall` as in Node's errors. */
export type NetlinkError = SystemError;

export class NetlinkSocket {
  readonly #fd: number;
  readonly #buffer = Buffer.alloc(receiveSize);
  // Somebody who died between sending and receiving left acknowledgements behind: start somewhere else each time.
  #sequence = Math.floor(Math.random() * 0x7fffffff);

  /** Takes a socket over, and closes it in the end. */
  constructor(fd: number) {
    this.#fd = fd;
    const on = Buffer.from([1, 0, 0, 0]);
    // The kernel's words for a refusal, since Linux 4.12; without them the number has to do.
    setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, on, on.length);
    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, on, on.length);
  }

  /** A socket of the caller's own network namespace. */
  static open(): NetlinkSocket {
    return new NetlinkSocket(check(socket(...routeSocketArguments), 'socket'));
  }

  close(): void {
    closeSync(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /**
   * Carries the requests out, in order. All are tried; the first refusal that its request does not tolerate is thrown.
   */
  request(requests: readonly NetlinkRequest[]): void {
    this.#exchange(requests);
  }

  /** The link of that name, or undefined. */
  link(name: string): Link | undefined {
    try {
      return this.#exchange([getLink(name)])
        .map(decodeLink)
        .find((link) => link !== undefined);
    } catch (error) {
      if (errorCode(error) === 'ENODEV') return undefined;
      throw error;
    }
  }

  /** All links of the namespace. */
  links(): Link[] {
    return this.#exchange([listLinks()])
      .map(decodeLink)
      .filter((link) => link !== undefined);
  }

  /** Sends, and collects the bodies of what comes back until each request is acknowledged. */
  #exchange(requests: readonly NetlinkRequest[]): Buffer[] {
    const pending = new Map<number, NetlinkRequest>();
    const message = Buffer.concat(
      requests.flatMap((request) => {
        this.#sequence = (this.#sequence + 1) >>> 0;
        pending.set(this.#sequence, request);
        return encode(request, this.#sequence);
      }),
    );
    check(send(this.#fd, message, message.length, MSG_DONTWAIT), 'sendto');
    const replies: Buffer[] = [];
    let refusal: NetlinkError | undefined;
    while (pending.size > 0) {
      // The kernel has carried everything out before send(2) returns, so nothing is ever waited for.
      const received = check(recv(this.#fd, this.#buffer, receiveSize, MSG_DONTWAIT), 'recvfrom');
      for (const reply of messages(this.#buffer.subarray(0, received))) {
        const request = pending.get(reply.sequence);
        if (request === undefined) continue;
        if (reply.type === messageTypes.error) {
          pending.delete(reply.sequence);
          refusal ??= errorOf(reply.flags, reply.body, request);
        } else if (reply.type === messageTypes.done) pending.delete(reply.sequence);
        else replies.push(Buffer.from(reply.body));
      }
    }
    if (refusal !== undefined) throw refusal;
    return replies;
  }
}

function encode(request: NetlinkRequest, sequence: number): Buffer[] {
  const isDump = (request.flags & messageFlags.dump) === messageFlags.dump && request.type === messageTypes.getLink;
  const header = encodeStruct(nlmsghdr, {
    length: nlmsghdr.size + request.body.length,
    type: request.type,
    // A dump is ended by its own message; an acknowledgement would come on top.
    flags: request.flags | messageFlags.request | (isDump ? 0 : messageFlags.ack),
    sequence,
  });
  return [header, request.body, Buffer.alloc(align(request.body.length) - request.body.length)];
}

interface Reply {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly body: Buffer;
}

/** The messages of one receive. */
export function messages(bytes: Buffer): Reply[] {
  const replies: Reply[] = [];
  for (let at = 0; at + nlmsghdr.size <= bytes.length;) {
    const { length, type, flags, sequence } = decodeStruct(nlmsghdr, bytes.subarray(at));
    if (length < nlmsghdr.size || at + length > bytes.length) break;
    replies.push({ type, flags, sequence, body: bytes.subarray(at + nlmsghdr.size, at + length) });
    at += align(length);
  }
  return replies;
}

/** The error in the body of an NLMSG_ERROR (struct nlmsgerr), undefined for success and for what is tolerated. */
export function errorOf(flags: number, body: Buffer, request: NetlinkRequest): NetlinkError | undefined {
  const errno = body.length >= 4 ? -body.readInt32LE(0) : 0;
  if (errno === 0) return undefined;
  const [code, text] = describeErrno(errno);
  if (request.tolerated?.includes(code)) return undefined;
  const details = (flags & messageFlags.ackAttributes) === 0 ? undefined : extendedMessage(flags, body);
  const error = systemError(errno, 'netlink');
  error.message = `Cannot ${request.action}: ${details === undefined ? text : `${text}: ${details}`} (${code})`;
  return error;
}

/** The kernel's own words: they stand behind the request's header, or behind all of it where it was not capped. */
function extendedMessage(flags: number, body: Buffer): string | undefined {
  if (body.length < 4 + nlmsghdr.size) return undefined;
  const { length } = decodeStruct(nlmsghdr, body.subarray(4));
  const start = 4 + ((flags & messageFlags.capped) === 0 ? align(length) : nlmsghdr.size);
  return decodeAttributes(errorAttributes, body.subarray(start)).message;
}
