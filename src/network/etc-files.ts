/** What a container finds in /etc/hosts and /etc/resolv.conf. */

/** A line of /etc/hosts. */
export interface HostEntry {
  readonly address: string;
  readonly names: readonly string[];
}

/** What resolv.conf(5) says beyond the servers. */
export interface ResolverSettings {
  readonly servers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** The lines that Docker puts first. */
const loopbackEntries: readonly HostEntry[] = [
  { address: '127.0.0.1', names: ['localhost'] },
  { address: '::1', names: ['localhost', 'ip6-localhost', 'ip6-loopback'] },
  { address: 'fe00::0', names: ['ip6-localnet'] },
  { address: 'ff00::0', names: ['ip6-mcastprefix'] },
  { address: 'ff02::1', names: ['ip6-allnodes'] },
  { address: 'ff02::2', names: ['ip6-allrouters'] },
];

/** The content of /etc/hosts: Docker's lines for the loopback, then `entries`. */
export function hostsFile(entries: readonly HostEntry[]): string {
  return [...loopbackEntries, ...entries].map(hostLine).join('');
}

export function hostLine({ address, names }: HostEntry): string {
  return `${address}\t${names.join(' ')}\n`;
}

/** The content of /etc/resolv.conf. */
export function resolvConf({ servers, search, options }: ResolverSettings): string {
  return [
    ...servers.map((server) => `nameserver ${server}\n`),
    ...(search.length > 0 ? [`search ${search.join(' ')}\n`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}\n`] : []),
  ].join('');
}

/** Reads a resolv.conf(5). Of several `search` (or `domain`) lines the last one counts; options add up. */
export function parseResolvConf(text: string): ResolverSettings {
  const servers: string[] = [];
  let search: string[] = [];
  const options: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line
      .replace(/^[#;].*/, '')
      .split(/\s+/)
      .filter((word) => word !== '');
    if (keyword === 'nameserver' && values[0] !== undefined) servers.push(values[0]);
    else if (keyword === 'search' || keyword === 'domain') search = values;
    else if (keyword === 'options') options.push(...values);
  }
  return { servers, search: search.filter((domain) => domain !== '.'), options };
}
