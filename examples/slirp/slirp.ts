/**
 * A command of slirp4netns' form on top of netstack: connects the network namespace of a process to the host's network.
 *
 *     node --conditions=source examples/slirp/slirp.ts --configure --mtu=65520 --disable-host-loopback -r 3 PID tap0 3>&1
 *
 * The addresses are slirp4netns' as well: gateway (and, unless disabled, the host's loopback) at .2, DNS at .3, the namespace at .100.
 */
import { writeSync } from 'node:fs';
import { EventLoop, Gateway, attachTap, hostResolvers } from 'netstack';
import { ApiSocket } from './api-socket.ts';
import { configureInterface, openTunIn } from './namespace.ts';
import { fail, parseOptions } from './options.ts';

const options = parseOptions();
const { target, addresses, mtu } = options;
const { gateway, dns, dhcp, guest, prefix } = addresses;

const loop = new EventLoop();
try {
  const tap = attachTap(await openTunIn(target), options.tap);
  const served = new Gateway({
    loop,
    tap,
    address: gateway,
    prefix,
    mac: '52:55:0a:00:02:02',
    mtu,
    dhcpFirst: dhcp,
    ...(options.dns && { dnsAddress: dns }),
    ...(options.ipv6 && { address6: 'fd00::2', prefix6: 64 }),
    hostLoopback: options.hostLoopback,
    resolvers: hostResolvers(),
    names: () => undefined,
    log: (message) => process.stderr.write(`slirp: ${message}\n`),
  });
  if (options.apiSocket !== undefined) new ApiSocket(loop, served, options.apiSocket, guest);
  if (options.configure)
    configureInterface(target, { name: options.tap, mtu, mac: options.mac, address: guest, prefix, gateway });
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
if (options.exitFd !== undefined) loop.add(options.exitFd, () => process.exit(0));
if (options.readyFd !== undefined) writeSync(options.readyFd, '1');
loop.run();
