/** Address and names of a line of /etc/hosts. */
export interface HostEntry {
  address: string;
  names: readonly string[];
}

/** /etc/hosts of a container: the loopback names, the container's own, `--add-host` and the like. hosts(5) */
export function hostsFile(own: readonly HostEntry[], extra: readonly HostEntry[] = []): string {
  const entries: HostEntry[] = [
    { address: '127.0.0.1', names: ['localhost'] },
    { address: '::1', names: ['localhost', 'ip6-localhost', 'ip6-loopback'] },
    { address: 'fe00::', names: ['ip6-localnet'] },
    { address: 'ff00::', names: ['ip6-mcastprefix'] },
    { address: 'ff02::1', names: ['ip6-allnodes'] },
    { address: 'ff02::2', names: ['ip6-allrouters'] },
    ...extra,
    ...own,
  ];
  return entries.map(({ address, names }) => `${address}\t${names.join(' ')}\n`).join('');
}

/** /etc/hostname. hostname(5) */
export function hostnameFile(hostname: string): string {
  return `${hostname}\n`;
}

/** What a resolv.conf(5) says, as far as it concerns a container. */
export interface ResolverConfig {
  nameservers: string[];
  search: string[];
  options: string[];
}

/** /etc/resolv.conf. */
export function resolvConf({ nameservers, search, options }: ResolverConfig): string {
  const lines = nameservers.map((address) => `nameserver ${address}`);
  if (search.length > 0) lines.push(`search ${search.join(' ')}`);
  if (options.length > 0) lines.push(`options ${options.join(' ')}`);
  return lines.map((line) => `${line}\n`).join('');
}

/** Reads a resolv.conf as the C library does: of `search` and `domain` the last line counts, comments are skipped. */
export function parseResolvConf(text: string): ResolverConfig {
  const config: ResolverConfig = { nameservers: [], search: [], options: [] };
  for (const line of text.split('\n')) {
    if (/^[#;]/.test(line)) continue;
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && values[0] !== undefined) config.nameservers.push(values[0]);
    else if (keyword === 'search') config.search = values.filter((domain) => domain !== '.');
    else if (keyword === 'domain') config.search = values.slice(0, 1);
    else if (keyword === 'options') config.options.push(...values);
  }
  return config;
}
