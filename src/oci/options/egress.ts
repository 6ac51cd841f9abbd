import { isIP } from 'node:net';
import type { EgressRule } from '../../base/traffic.ts';
import { InvalidInput } from '../invalid-input.ts';

/**
 * Reads `--egress allow=TARGET[,TARGET…]` or `deny=…`. A target is a name (`example.org`, `*.example.org` for what is
 * below it), an address or subnet (`10.0.0.0/8`, `[fd00::/8]`) or `*`, with `:PORT` or `:PORT-PORT` and `/tcp`, `/udp` or
 * `/icmp` behind it.
 */
export function parseEgress(text: string): EgressRule[] {
  const [, action, list] = /^(allow|deny)=(.+)$/.exec(text) ?? [];
  if (action === undefined || list === undefined)
    throw new InvalidInput('it has to be allow=TARGET,… or deny=TARGET,…');
  return list.split(',').map((item) => parseRule(action as EgressRule['action'], item.trim()));
}

function parseRule(action: EgressRule['action'], text: string): EgressRule {
  const [, head = '', protocol] = /^(.*?)(?:\/(tcp|udp|icmp))?$/.exec(text) ?? [];
  // An IPv6 address without brackets has no port.
  const isBare6 = !head.startsWith('[') && head.split(':').length > 2;
  const [, host = '', first, last] = isBare6
    ? [head, head]
    : (/^(.*?)(?::(\d{1,5})(?:-(\d{1,5}))?)?$/.exec(head) ?? []);
  const ports = first === undefined ? undefined : ([Number(first), Number(last ?? first)] as const);
  if (ports !== undefined && !(ports[0] >= 1 && ports[0] <= ports[1] && ports[1] <= 65535)) {
    throw new InvalidInput(`invalid port in '${text}'`);
  }
  if (ports !== undefined && protocol === 'icmp') throw new InvalidInput(`icmp has no ports: '${text}'`);
  return {
    action,
    target: parseTarget(host.replace(/^\[(.*)\]$/, '$1'), text),
    ...(ports === undefined ? {} : { ports }),
    ...(protocol === undefined ? {} : { protocol: protocol as 'tcp' | 'udp' | 'icmp' }),
    text,
  };
}

function parseTarget(host: string, text: string): EgressRule['target'] {
  if (host === '*') return { kind: 'any' };
  const [, address = '', length] = /^([\da-fA-F:.]+)(?:\/(\d{1,3}))?$/.exec(host) ?? [];
  const version = isIP(address);
  if (version !== 0) {
    const bits = version === 4 ? 32 : 128;
    const prefix = Number(length ?? bits);
    if (prefix > bits) throw new InvalidInput(`invalid subnet in '${text}'`);
    return { kind: 'subnet', subnet: `${address}/${prefix}` };
  }
  const name = host.toLowerCase().replace(/\.$/, '');
  const below = name.startsWith('*.');
  const plain = below ? name.slice(2) : name;
  if (
    !/^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*$/.test(plain) ||
    /^[\d.]+$/.test(plain)
  ) {
    throw new InvalidInput(`'${text}' is neither a name nor an address`);
  }
  return { kind: 'name', name: plain, below };
}
