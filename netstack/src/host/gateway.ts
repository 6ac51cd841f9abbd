/** The gateway of a network of containers: everything beyond their link. */
import type { GatewayOptions, GatewayStats, Member, PublishOptions, PublishedPort } from './gateway-options.ts';

export class Gateway {
  /** Starts serving the TAP on the loop. Throws on malformed addresses (ERR_INVALID_ARG_VALUE). */
  constructor(options: GatewayOptions) {
    if (options.mtu < 576) throw new RangeError('mtu');
  }

  /**
   * Ties an address to the MAC of its container. From the first call on only members are served: a frame with any other pair
   * of source MAC and address is dropped and counted. Without members, any address of the subnet is, held by the MAC
   * that used it first.
   */
  admit(member: Member): { close(): void } {
    throw new Error(`not yet: ${member.address}`);
  }

  /**
   * Publishes a port. Listens when it returns. Throws Node-shaped errors: EADDRINUSE, EACCES (a privileged port; the message
   * names the sysctl), EADDRNOTAVAIL. The container sees the peer's own address as source, except peers on the
   * host's loopback, in the container's own subnet, or on IPv6: they appear as the gateway.
   */
  publish(options: PublishOptions): PublishedPort {
    throw new Error(`not yet: ${options.hostPort}`);
  }

  stats(): GatewayStats {
    throw new Error('not yet');
  }

  /** Stops serving: closes all sockets, drops all flows. The TAP stays open. */
  close(): void {
    throw new Error('not yet');
  }
}
