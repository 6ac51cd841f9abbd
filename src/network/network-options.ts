/** `--opt` of `network create`: the bridge driver's options, under Docker's names or the short ones. */
import { isIP } from 'node:net';
import { NetworkError } from './network-error.ts';

export interface NetworkOptions {
  /** IP MTU in bytes. */
  readonly mtu: number;
  /** Whether containers of the network reach each other; else they reach the gateway alone. */
  readonly communication: boolean;
  /** Where ports are published that name no address of the host's; absent: all of them. */
  readonly hostAddress?: string;
}

/** Ethernet's. With segmentation offload through the TAP a larger one gains little. */
export const defaultMtu = 1500;
/** RFC 791 wants 576 of every IPv4 host, RFC 8200 1280 of every IPv6 link; the other end is netstack's. */
const mtuLimits = { least: 576, most: 65520 } as const;

/** Throws INVALID for an option that trun does not have, or a value that cannot be. */
export function parseNetworkOptions(options: Readonly<Record<string, string>>): NetworkOptions {
  let result: NetworkOptions = { mtu: defaultMtu, communication: true };
  for (const [name, value] of Object.entries(options)) result = { ...result, ...parseOption(name, value) };
  return result;
}

function parseOption(name: string, value: string): Partial<NetworkOptions> {
  switch (name.replace(/^com\.docker\.network\.(driver\.|bridge\.)?/, '')) {
    case 'mtu':
      return { mtu: parseMtu(value) };
    case 'enable_icc':
      return { communication: parseBoolean(name, value) };
    case 'enable_ip_masquerade':
      if (parseBoolean(name, value)) return {};
      throw new NetworkError(
        'UNSUPPORTED',
        `option ${name}=${value} is not supported: trun always translates addresses`,
      );
    case 'host_binding_ipv4':
      if (isIP(value) === 4) return { hostAddress: value };
      throw new NetworkError('INVALID', `invalid value for option ${name}: ${value} is no IPv4 address`);
    default:
      throw new NetworkError('UNSUPPORTED', `trun does not have the network option ${name}`);
  }
}

function parseMtu(value: string): number {
  const mtu = /^\d{1,6}$/.test(value) ? Number(value) : 0;
  if (mtu >= mtuLimits.least && mtu <= mtuLimits.most) return mtu;
  throw new NetworkError(
    'INVALID',
    `invalid value for option mtu: ${value} is not from ${mtuLimits.least} to ${mtuLimits.most}`,
  );
}

function parseBoolean(name: string, value: string): boolean {
  if (['1', 't', 'true'].includes(value.toLowerCase())) return true;
  if (['0', 'f', 'false'].includes(value.toLowerCase())) return false;
  throw new NetworkError('INVALID', `invalid value for option ${name}: ${value} is neither true nor false`);
}
