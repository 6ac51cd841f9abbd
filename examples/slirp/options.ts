/** The command line. What is wrong with it ends the program with one clear line. */
import { parseArgs } from 'node:util';
import { IpAddress, Subnet } from 'netstack';
import type { Target } from './namespace.ts';

const USAGE = `Usage: slirp [OPTION]… PID|PATH TAPNAME
  -c, --configure               bring the interface up, with address and default route
  -e, --exit-fd=FD              end when FD is closed on the other side
  -r, --ready-fd=FD             write "1" to FD once everything is ready
  -m, --mtu=MTU                 576 to 65520 (default 1500)
  -6, --enable-ipv6             fd00::/64, announced to the namespace
  -a, --api-socket=PATH         publish ports by add_hostfwd, list_hostfwd, remove_hostfwd
      --cidr=CIDR               the network (default 10.0.2.0/24)
      --macaddress=MAC          of the interface (with --configure)
      --netns-type=pid|path     whether the argument is a process or a path (default pid)
      --userns-path=PATH        the user namespace that owns the network namespace
      --disable-host-loopback   the gateway's address does not lead to the host's 127.0.0.1
      --disable-dns             no DNS at .3
`;

const OPTIONS = {
  configure: { type: 'boolean', short: 'c', default: false },
  'exit-fd': { type: 'string', short: 'e' },
  'ready-fd': { type: 'string', short: 'r' },
  mtu: { type: 'string', short: 'm', default: '1500' },
  'enable-ipv6': { type: 'boolean', short: '6', default: false },
  'api-socket': { type: 'string', short: 'a' },
  cidr: { type: 'string', default: '10.0.2.0/24' },
  macaddress: { type: 'string' },
  'netns-type': { type: 'string', default: 'pid' },
  'userns-path': { type: 'string' },
  'disable-host-loopback': { type: 'boolean', default: false },
  'disable-dns': { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
  version: { type: 'boolean', short: 'v', default: false },
} as const;

/** The addresses in the network, as slirp4netns chooses them. */
export interface AddressPlan {
  readonly gateway: string;
  readonly dns: string;
  /** The first address of DHCP, and the one that --configure gives. */
  readonly dhcp: string;
  readonly guest: string;
  readonly prefix: number;
}

export interface SlirpOptions {
  readonly target: Target;
  readonly tap: string;
  readonly addresses: AddressPlan;
  readonly configure: boolean;
  readonly mtu: number;
  readonly mac: string | undefined;
  readonly ipv6: boolean;
  readonly hostLoopback: boolean;
  readonly dns: boolean;
  readonly exitFd: number | undefined;
  readonly readyFd: number | undefined;
  readonly apiSocket: string | undefined;
}

/** Ends with one clear line. */
export function fail(message: string): never {
  process.stderr.write(`slirp: ${message}\n`);
  process.exit(1);
}

export function parseOptions(): SlirpOptions {
  const { values, positionals } = parse();
  if (values.version) {
    // Scripts ask for this line to learn what slirp4netns was built with: 2 would be --outbound-addr, 3 a silent --disable-dns.
    process.stdout.write('slirp, an example of netstack\nSLIRP_CONFIG_VERSION_MAX: 1\n');
    process.exit(0);
  }
  const [place, tap] = positionals;
  if (values.help || place === undefined || tap === undefined) {
    process.stdout.write(USAGE);
    process.exit(values.help ? 0 : 1);
  }
  const { macaddress: mac } = values;
  if (mac !== undefined && !/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac)) fail(`--macaddress: ${mac} is no MAC address`);
  const type = values['netns-type'];
  if (type !== 'pid' && type !== 'path') fail(`--netns-type: ${type} is neither pid nor path`);
  return {
    target: type === 'path' ? { net: place, user: values['userns-path'] } : { pid: number(place, 'PID', 1, 2 ** 22) },
    tap,
    addresses: plan(values.cidr),
    configure: values.configure,
    mtu: number(values.mtu, '--mtu', 576, 65_520),
    mac,
    ipv6: values['enable-ipv6'],
    hostLoopback: !values['disable-host-loopback'],
    dns: !values['disable-dns'],
    exitFd: descriptor(values['exit-fd'], '--exit-fd'),
    readyFd: descriptor(values['ready-fd'], '--ready-fd'),
    apiSocket: values['api-socket'],
  };
}

function parse(): ReturnType<typeof parseArgs<{ options: typeof OPTIONS; allowPositionals: true }>> {
  try {
    return parseArgs({ options: OPTIONS, allowPositionals: true });
  } catch (error) {
    return fail((error instanceof Error ? error.message : String(error)).replace(/\. To specify[^]*$/, ''));
  }
}

function number(text: string, name: string, least: number, most: number): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < least || value > most)
    fail(`${name}: ${text} is not a number from ${least} to ${most}`);
  return value;
}

function descriptor(text: string | undefined, name: string): number | undefined {
  return text === undefined ? undefined : number(text, name, 0, 2 ** 20);
}

function plan(cidr: string): AddressPlan {
  const [network = '', length = ''] = cidr.split('/');
  const prefix = Number(length);
  let subnet: Subnet;
  try {
    if (!/^\d{1,2}$/.test(length) || network.includes(':')) throw new Error();
    subnet = new Subnet(IpAddress.from(network), Math.min(prefix, 32));
  } catch {
    return fail(`invalid CIDR: ${cidr}`);
  }
  if (prefix < 1 || prefix > 25) fail(`prefix length needs to be 1-25, not ${prefix}`);
  if (!subnet.network.equals(subnet.address))
    fail(`CIDR needs to be a network address like 10.0.2.0/24, not like ${cidr}`);
  const [first, second, third, last] = subnet.network.bytes;
  function host(number: number): string {
    return `${first}.${second}.${third}.${last! + number}`;
  }
  return { gateway: host(2), dns: host(3), dhcp: host(15), guest: host(100), prefix };
}
