import { isIPv4, isIPv6 } from 'node:net';
import { InvalidInput } from '../invalid-input.ts';
import { parseFields } from './fields.ts';

/** What a container is to be on one network. */
export interface NetworkOption {
  network: string;
  aliases?: string[];
  address?: string;
  address6?: string;
  mac?: string;
}

/** Reads `--network NAME`, or its long form `name=…,alias=…,ip=…,ip6=…,mac-address=…`. */
export function parseNetwork(text: string): NetworkOption {
  if (text === '') throw new InvalidInput('the name of the network is empty');
  if (!/^[\w-]+=|,/.test(text)) return { network: text };
  const option: NetworkOption = { network: '' };
  for (const { key, value, field } of parseFields(text)) {
    if (value === undefined || value === '') throw new InvalidInput(`invalid field ${field}`);
    setField(option, key, value);
  }
  if (option.network === '') throw new InvalidInput('network name is missing: it needs name=NETWORK');
  return option;
}

function setField(option: NetworkOption, key: string, value: string): void {
  switch (key) {
    case 'name':
      option.network = value;
      return;
    case 'alias':
      option.aliases = [...(option.aliases ?? []), value];
      return;
    case 'ip':
      option.address = parseIp(value);
      return;
    case 'ip6':
      option.address6 = parseIp6(value);
      return;
    case 'mac-address':
      option.mac = parseMacAddress(value);
      return;
    case 'driver-opt':
    case 'link-local-ip':
    case 'gw-priority':
      throw new InvalidInput(`trun does not have the field ${key}`);
    default:
      throw new InvalidInput(`invalid field key ${key}`);
  }
}

export function parseIp(text: string): string {
  if (!isIPv4(text)) throw new InvalidInput(`invalid IPv4 address: ${text}`);
  return text;
}

export function parseIp6(text: string): string {
  if (!isIPv6(text)) throw new InvalidInput(`invalid IPv6 address: ${text}`);
  return text;
}

/** Colons or hyphens between the bytes, as Go's net.ParseMAC takes them. */
export function parseMacAddress(text: string): string {
  const mac = text.toLowerCase().replaceAll('-', ':');
  if (!/^[\da-f]{2}(:[\da-f]{2}){5}$/.test(mac)) throw new InvalidInput(`${text} is not a valid mac address`);
  if ((parseInt(mac.slice(0, 2), 16) & 1) === 1) throw new InvalidInput(`${text} is a multicast address`);
  return mac;
}

/** Reads `--link CONTAINER[:ALIAS]`. */
export function parseLink(text: string): { container: string; alias: string } {
  const parts = text.split(':');
  if (text === '' || parts.length > 2 || parts[0] === '' || parts[1] === '') {
    throw new InvalidInput(`bad format for links: ${text}`);
  }
  const container = parts[0]!.replace(/^\//, '');
  return { container, alias: parts[1]?.replace(/^.*\//, '') ?? container };
}
