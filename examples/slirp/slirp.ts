/**
 * A command of slirp4netns' form on top of netstack: connects the network namespace of a process to the host's network.
 *
 *     node --conditions=source examples/slirp/slirp.ts --configure --mtu=65520 --disable-host-loopback -r 3 PID tap0 3>&1
 *
 * The addresses are slirp4netns' as well: gateway (and, unless disabled, the host's loopback) at .2, DNS at .3, the namespace at .100.
 */
import { writeSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { EventLoop, Gateway, attachTap, hostResolvers } from 'netstack';
import { configureInterface, openTunIn } from './namespace.ts';

const USAGE = `Usage: slirp [OPTION]… PID TAPNAME
  -c, --configure               bring the interface up, with address and default route
  -e, --exit-fd=FD              end when FD is closed on the other side
  -r, --ready-fd=FD             write "1" to FD once everything is ready
  -m, --mtu=MTU                 576 to 65520 (default 1500)
  -6, --enable-ipv6             fd00::/64, announced to the namespace
      --cidr=CIDR               the network (default 10.0.2.0/24)
      --disable-host-loopback   the gateway's address does not lead to the host's 127.0.0.1
      --disable-dns             no DNS at .3
`;

/** Ends with one clear line. */
function fail(message: string): never {
  process.stderr.write(`slirp: ${message}\n`);
  process.exit(1);
}

function number(text: string, name: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    fail(`${name}: ${text} is not a number from ${least} to ${most}`);
  return value;
}

/** The addresses in a network like 10.0.2.0/24. */
function plan(cidr: string): { gateway: string; dns: string; guest: string; prefix: number } {
  const match = /^(\d{1,3}\.\d{1,3}\.\d{1,3}\.)0\/(\d{1,2})$/.exec(cidr);
  const prefix = Number(match?.[2]);
  if (!match?.[1] || prefix < 8 || prefix > 24) return fail(`--cidr: ${cidr} is not a network of the form 10.0.2.0/24`);
  return { gateway: `${match[1]}2`, dns: `${match[1]}3`, guest: `${match[1]}100`, prefix };
}

function parse(): ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>> {
  try {
    return parseArgs({ options: OPTIONS, allowPositionals: true });
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error));
  }
}

const OPTIONS = {
  configure: { type: 'boolean', short: 'c', default: false },
  'exit-fd': { type: 'string', short: 'e' },
  'ready-fd': { type: 'string', short: 'r' },
  mtu: { type: 'string', short: 'm', default: '1500' },
  'enable-ipv6': { type: 'boolean', short: '6', default: false },
  cidr: { type: 'string', default: '10.0.2.0/24' },
  'disable-host-loopback': { type: 'boolean', default: false },
  'disable-dns': { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

const { values, positionals } = parse();
const [pidText, tapName] = positionals;
if (values.help || pidText === undefined || tapName === undefined) {
  process.stdout.write(USAGE);
  process.exit(values.help ? 0 : 1);
}
const pid = number(pidText, 'PID', 1, 2 ** 22);
const mtu = number(values.mtu, '--mtu', 576, 65_520);
const { gateway, dns, guest, prefix } = plan(values.cidr);

const loop = new EventLoop();
try {
  const tap = attachTap(await openTunIn(pid), tapName);
  if (values.configure) configureInterface(pid, { name: tapName, mtu, address: guest, prefix, gateway });
  new Gateway({
    loop,
    tap,
    address: gateway,
    prefix,
    mac: '52:55:0a:00:02:02',
    mtu,
    ...(values['disable-dns'] ? {} : { dnsAddress: dns }),
    ...(values['enable-ipv6'] && { address6: 'fd00::2', prefix6: 64 }),
    hostLoopback: !values['disable-host-loopback'],
    resolvers: hostResolvers(),
    names: () => undefined,
    log: (message) => process.stderr.write(`slirp: ${message}\n`),
  });
} catch (error) {
  fail(error instanceof Error ? error.message : String(error));
}
if (values['exit-fd'] !== undefined)
  loop.add(number(values['exit-fd'], '--exit-fd', 0, 2 ** 20), () => process.exit(0));
if (values['ready-fd'] !== undefined) writeSync(number(values['ready-fd'], '--ready-fd', 0, 2 ** 20), '1');
loop.run();
