/**
 * Answers ping (and ARP) at 10.0.0.1 on a TAP of its own network namespace:
 *
 *     unshare -Urn node --conditions=source examples/netstack-ping/ping.ts &
 *     nsenter -t $! -U -n --preserve-credentials sh -c 'ip link set tap0 up; ip addr add 10.0.0.2/24 dev tap0; ping -c 3 10.0.0.1'
 */
import { randomFillSync } from 'node:crypto';
import { EventLoop, Frame, IpAddress, Stack, Subnet, attachTap, openTun } from 'netstack';

const loop = new EventLoop();
const tap = attachTap(openTun(), 'tap0');
const stack = new Stack({
  device: tap,
  timers: loop.timers,
  mac: Uint8Array.of(2, 0, 0, 0, 0, 1),
  mtu: 1500,
  subnets: [new Subnet(IpAddress.from('10.0.0.1'), 24)],
  random: randomFillSync,
});

const frame = new Frame();
loop.add(tap.fd, () => {
  while (tap.receive(frame)) stack.input(frame);
});
process.stdout.write('10.0.0.1 answers on tap0\n');
loop.run();
