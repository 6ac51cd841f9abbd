/**
 * The hub: the network namespace of the user's holder, in which the links of networks are made. Reached from outside,
 * through descriptors that the holder keeps open and with the authority that a user has over a namespace of their own.
 *
 * One process at a time works on a hub (the agent): the netlink socket is one queue of replies.
 */
import { closeSync } from 'node:fs';
import { type Holder, takeHolderFd } from '../holder/holder.ts';
import { HOLDER_FD } from '../holder/holder-plan.ts';
import { NetlinkSocket } from '../sys/netlink.ts';
import { pidfdGetfd, pidfdOpen } from '../sys/pidfd.ts';
import { errorCode } from '../sys/system-error.ts';
import { configurationSocketFd } from './namespace-plan.ts';

export class Hub implements Disposable {
  readonly #holder: Holder;
  #netlink: NetlinkSocket | undefined;

  constructor(holder: Holder) {
    this.#holder = holder;
  }

  /** The same for the same hub, another for another: its holder's identity. */
  get id(): string {
    const { pid, startTime, bootId } = this.#holder.process;
    return `${pid} ${startTime} ${bootId}`;
  }

  get holderPid(): number {
    return this.#holder.process.pid;
  }

  /** A pidfd of the holder. The caller closes it. */
  openHolder(): number {
    return pidfdOpen(this.holderPid);
  }

  /** A duplicate of the holder's /dev/net/tun. The caller closes it. */
  takeTun(): number {
    try {
      return takeHolderFd(this.#holder, HOLDER_FD.tun);
    } catch (cause) {
      if (errorCode(cause) !== 'EBADF') throw cause;
      const message = 'Cannot use the network: /dev/net/tun cannot be opened; --network host and none do without';
      throw Object.assign(new Error(message, { cause }), { code: 'UNSUPPORTED' });
    }
  }

  /** The socket that acts on the hub. */
  netlink(): NetlinkSocket {
    return (this.#netlink ??= new NetlinkSocket(takeHolderFd(this.#holder, HOLDER_FD.netlink)));
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
