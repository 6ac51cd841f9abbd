/** Which addresses the host itself uses, so that networks keep away from them. */
import { contains, overlaps, parseAddress, parseSubnet, type Subnet } from './ipv4.ts';

/**
 * Subnets that the host routes somewhere, from the text of /proc/net/route. The default route is left out, as it
 * overlaps everything and names no one in particular.
 */
export function parseRoutes(text: string): Subnet[] {
  const subnets: Subnet[] = [];
  for (const line of text.split('\n').slice(1)) {
    const fields = line.split('\t');
    const base = parseHex(fields[1]);
    const mask = parseHex(fields[7]);
    if (base === undefined || mask === undefined || mask === 0) continue;
    subnets.push({ base, prefixLength: 32 - Math.log2(2 ** 32 - mask) });
  }
  return subnets;
}

/** The kernel prints addresses as they lie in memory: little-endian hexadecimal (net/ipv4/fib_trie.c). */
function parseHex(text: string | undefined): number | undefined {
  if (text === undefined || !/^[\dA-F]{8}$/i.test(text)) return undefined;
  return Buffer.from(text, 'hex').readUInt32LE();
}

/**
 * Where networks may lie, in the order of preference: what other container engines leave free first, and small blocks
 * last, for hosts whose site uses most of the private ranges.
 */
export const candidateSubnets: readonly Subnet[] = [
  ...range(88, 32).map((second) => `10.${second}.0.0/16`),
  ...range(16, 16).map((second) => `172.${second}.0.0/16`),
  ...range(64, 64).map((third) => `192.168.${third}.0/24`),
  ...range(64, 64).map((second) => `100.${second}.0.0/16`),
].map((text) => parseSubnet(text)!);

function range(first: number, count: number): number[] {
  return Array.from({ length: count }, (_, i) => first + i);
}

/** The first candidate that clashes neither with a taken subnet nor with a single address (a resolver, say). */
export function chooseSubnet(taken: readonly Subnet[], addresses: readonly string[] = []): Subnet | undefined {
  const single = addresses.map(parseAddress).filter((address) => address !== undefined);
  return candidateSubnets.find(
    (candidate) =>
      !taken.some((subnet) => overlaps(subnet, candidate)) && !single.some((address) => contains(candidate, address)),
  );
}
