/** The /etc files of one container. */
import type { EndpointRequest, PreparedEndpoint } from './driver.ts';
import {
  type HostEntry,
  hostLine,
  hostsFile,
  parseResolvConf,
  type ResolverSettings,
  resolvConf,
} from './etc-files.ts';
import { readHostFile } from './host-file.ts';

/** What `--add-host NAME:host-gateway` stands for. */
const hostGateway = 'host-gateway';

/** What is the driver's to know. */
export interface FileContext {
  /** The container's own addresses, which its hostname gets. */
  readonly addresses?: readonly string[];
  /** How the host is reached. */
  readonly host: string;
  /** Which resolvers to name; absent: the host's. */
  readonly servers?: readonly string[];
}

/** /etc/hosts and /etc/resolv.conf as Docker writes them. */
export function containerFiles(request: EndpointRequest, context: FileContext): PreparedEndpoint['files'] {
  return {
    hosts: hostsFile([...extraHosts(request, context.host), ...ownEntries(request.hostname, context.addresses ?? [])]),
    resolvConf: resolvers(request, context),
  };
}

/** The lines for a container's hostname, for /etc/hosts. */
export function ownEntries(hostname: string, addresses: readonly string[]): HostEntry[] {
  return hostname === '' ? [] : addresses.map((address) => ({ address, names: hostNames(hostname) }));
}

/** The host's own files, with what the request adds. */
export function hostFiles(request: EndpointRequest, host: string): PreparedEndpoint['files'] {
  const added = extraHosts(request, host).map(hostLine);
  return {
    hosts: `${readHostFile('/etc/hosts').replace(/\n?$/, '\n')}${added.join('')}`,
    resolvConf: request.dns === undefined ? readHostFile('/etc/resolv.conf') : resolvers(request, { host }),
  };
}

function extraHosts(request: EndpointRequest, host: string): HostEntry[] {
  return (request.extraHosts ?? []).map(({ address, names }) => ({
    address: address === hostGateway ? host : address,
    names,
  }));
}

/** The full name first, then the short one, as hosts(5) wants it. */
function hostNames(hostname: string): string[] {
  const short = hostname.replace(/\..*$/s, '');
  return short === hostname || short === '' ? [hostname] : [hostname, short];
}

function resolvers(request: EndpointRequest, context: FileContext): string {
  const ofHost: ResolverSettings = parseResolvConf(readHostFile('/etc/resolv.conf'));
  return resolvConf({
    servers: request.dns?.servers ?? context.servers ?? ofHost.servers,
    search: request.dns?.search ?? ofHost.search,
    options: request.dns?.options ?? ofHost.options,
  });
}
