/** The host's DNS resolvers, as /etc/resolv.conf names them (resolv.conf(5)). */
import { readFileSync, statSync } from 'node:fs';

const MAX_SERVERS = 3; // MAXNS of resolv.h

/** Returns a function for `GatewayOptions.resolvers`: reads `path` again whenever its inode, size or modification time changed. */
export function hostResolvers(path = '/etc/resolv.conf'): () => readonly string[] {
  let seen = '';
  let servers: readonly string[] = [];
  return () => {
    const status = statSync(path, { throwIfNoEntry: false, bigint: true });
    const version = status === undefined ? 'absent' : `${status.dev}.${status.ino}.${status.size}.${status.mtimeNs}`;
    if (version !== seen) {
      seen = version;
      servers = status === undefined ? [] : parseResolvers(read(path));
    }
    // resolv.conf(5): without nameserver lines, the one on the local machine is used.
    return servers.length > 0 ? servers : ['127.0.0.1'];
  };
}

/** The addresses of all `nameserver` lines. */
export function parseResolvers(text: string): readonly string[] {
  return text
    .split('\n')
    .map((line) => /^nameserver\s+([0-9A-Fa-f:.]+)(?:%\S+)?(?:\s|$)/.exec(line)?.[1])
    .filter((address) => address !== undefined)
    .slice(0, MAX_SERVERS);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
