/** Where a registry's API is, and how far its transport is trusted. */
import { BlockList, isIP } from 'node:net';

export interface Endpoint {
  readonly base: URL;
  /** Take any certificate. */
  readonly insecure: boolean;
}

/** docker.io is a name; its registry answers here. */
const DOCKER_HUB = 'registry-1.docker.io';

/** Whether a host name or address (brackets or not) is this machine's own. */
export function isLoopback(hostname: string): boolean {
  const bare = hostname.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  return (
    bare === 'localhost' ||
    bare.endsWith('.localhost') ||
    bare === '::1' ||
    (isIP(bare) === 4 && bare.startsWith('127.'))
  );
}

/**
 * The addresses to try, in order. Loopback registries speak plain http as a rule and need no protection from anybody; the
 * configured insecure ones (host, host:port or CIDR) are tried with https first, as Docker does; all others are https or nothing.
 */
export function endpointsOf(domain: string, insecureRegistries: readonly string[]): Endpoint[] {
  const host = domain === 'docker.io' ? DOCKER_HUB : domain;
  const https = new URL(`https://${host}/`);
  const http = new URL(`http://${host}/`);
  if (isLoopback(https.hostname)) return [http, https].map((base) => ({ base, insecure: true }));
  if (isListed(https, domain, insecureRegistries)) return [https, http].map((base) => ({ base, insecure: true }));
  return [{ base: https, insecure: false }];
}

function isListed(url: URL, domain: string, insecureRegistries: readonly string[]): boolean {
  const hostname = url.hostname.replace(/^\[(.*)\]$/, '$1');
  return insecureRegistries.some((entry) => {
    if (entry === domain || entry === hostname) return true;
    return contains(entry, hostname);
  });
}

/** Whether `network` is a CIDR range that holds the address. */
function contains(network: string, address: string): boolean {
  const family = isIP(address);
  const match = /^([0-9a-fA-F.:]+)\/([0-9]{1,3})$/.exec(network);
  if (family === 0 || !match || isIP(match[1]!) !== family) return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const prefix = Number(match[2]);
  if (prefix > (family === 4 ? 32 : 128)) return false;
  const range = new BlockList();
  range.addSubnet(match[1]!, prefix, type);
  return range.check(address, type);
}
