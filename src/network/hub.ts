/**
 * The hub: the network namespace of the user's holder, in which the links of networks are made. Reached from outside,
 * through descriptors that the holder keeps open and with the authority that a user has over a namespace of their own.
 *
 * One process at a time works on a hub (the agent): the netlink socket is one queue of replies.
 */
import { closeSync } from 'node:fs';
import { NetlinkSocket } from '../sys/netlink.ts';
import { pidfdGetfd, pidfdOpen } from '../sys/pidfd.ts';
import { errorCode } from '../base/error-code.ts';
import { configurationSocketFd } from './namespace-plan.ts';

/** What the holder gives. */
export interface HubAccess {
  /** The same for the same hub, another for another: the holder's identity as text. */
  readonly id: string;
  /** The holder's pid. */
  readonly pid: number;
  /** A duplicate of a descriptor that the holder keeps open, made in the hub. The caller closes it. Throws EBADF. */
  take(what: 'netlink' | 'tun'): number;
}

export class Hub implements Disposable {
  readonly #access: HubAccess;
  #netlink: NetlinkSocket | undefined;

  constructor(access: HubAccess) {
    this.#access = access;
  }

  get id(): string {
    return this.#access.id;
  }

  get holderPid(): number {
    return this.#access.pid;
  }

  /** A pidfd of the holder. The caller closes it. */
  openHolder(): number {
    return pidfdOpen(this.holderPid);
  }

  /** A duplicate of the holder's /dev/net/tun. The caller closes it. */
  takeTun(): number {
    try {
      return this.#access.take('tun');
    } catch (cause) {
      if (errorCode(cause) !== 'EBADF') throw cause;
      const message = 'Cannot use the network: /dev/net/tun cannot be opened; --network host and none do without';
      throw Object.assign(new Error(message, { cause }), { code: 'UNSUPPORTED' });
    }
  }

  /** Throws UNSUPPORTED where the host has no usable /dev/net/tun. */
  checkTun(): void {
    closeSync(this.takeTun());
  }

  /** The socket that acts on the hub. */
  netlink(): NetlinkSocket {
    return (this.#netlink ??= new NetlinkSocket(this.#access.take('netlink')));
  }

  [Symbol.dispose](): void {
    this.#netlink?.close();
    this.#netlink = undefined;
  }
}

/** The netlink socket that a waiting container has open in its own namespace. */
export function takeConfigurationSocket(pid: number): NetlinkSocket {
  const pidfd = pidfdOpen(pid);
  try {
    return new NetlinkSocket(pidfdGetfd(pidfd, configurationSocketFd));
  } finally {
    closeSync(pidfd);
  }
}
