import { isIP } from 'node:net';
import { InvalidInput } from '../invalid-input.ts';
import { parseFields } from './fields.ts';

/** A container's port made reachable on the host. */
export interface PublishedPort {
  /** Address to listen on; empty for all. */
  hostIp: string;
  /** First and last port to listen on: the first free one of them is taken. 0 to 0 lets the host choose. */
  hostPorts: readonly [first: number, last: number];
  containerPort: number;
  protocol: 'tcp' | 'udp';
}

/** Reads `--publish [IP:][HOSTPORT[-HOSTPORT]:]PORT[-PORT][/tcp|/udp]`, or its long form `published=…,target=…`. */
export function parsePublish(text: string): PublishedPort[] {
  if (text.includes('=')) return parseLongForm(text);
  const parts = text.split(':');
  const container = parts.pop()!;
  const host = parts.pop() ?? '';
  const [ports, protocol = 'tcp'] = container.split('/', 2) as [string, string | undefined];
  return expand(text, parseAddress(parts.join(':')), host, ports, protocol);
}

function parseLongForm(text: string): PublishedPort[] {
  const options = { target: '', published: '', protocol: 'tcp' };
  for (const { key, value, field } of parseFields(text)) {
    if (value === undefined) {
      throw new InvalidInput(`invalid publish opts format (should be name=value but got '${field}')`);
    }
    if (key === 'mode') {
      if (value !== 'host' && value !== 'ingress')
        throw new InvalidInput(`invalid publish mode value (${value}): must be either 'ingress' or 'host'`);
    } else if (key in options) {
      options[key as keyof typeof options] = value;
    } else {
      throw new InvalidInput(`invalid publish opt: '${key}'`);
    }
  }
  if (options.target === '') throw new InvalidInput(`missing mandatory field '"target"'`);
  return expand(text, '', options.published, options.target, options.protocol);
}

function expand(text: string, hostIp: string, host: string, container: string, protocolName: string): PublishedPort[] {
  const protocol = protocolName.toLowerCase();
  if (protocol !== 'tcp' && protocol !== 'udp') throw new InvalidInput(`invalid proto: ${protocol}`);
  if (container === '') throw new InvalidInput(`no port specified: ${text}<empty>`);
  const [first, last] = parseRange(container, 1) ?? raise(`invalid containerPort: ${container}`);
  if (host === '')
    return range(first, last).map((port) => ({ hostIp, hostPorts: [0, 0], containerPort: port, protocol }));
  const [hostFirst, hostLast] = parseRange(host, 0) ?? raise(`invalid hostPort: ${host}`);
  if (first === last) return [{ hostIp, hostPorts: [hostFirst, hostLast], containerPort: first, protocol }];
  if (hostLast - hostFirst !== last - first) {
    raise(`invalid ranges specified for container and host Ports: ${container} and ${host}`);
  }
  return range(first, last).map((port) => {
    const hostPort = hostFirst + port - first;
    return { hostIp, hostPorts: [hostPort, hostPort], containerPort: port, protocol };
  });
}

function parseAddress(text: string): string {
  if (text === '') return '';
  const address = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
  return isIP(address) === 0 ? raise(`invalid IP address: ${text}`) : address;
}

function parseRange(text: string, least: number): [first: number, last: number] | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first >= least && first <= last && last <= 65535 ? [first, last] : undefined;
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function raise(message: string): never {
  throw new InvalidInput(message);
}
