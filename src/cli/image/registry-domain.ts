import { InvalidInput } from '../../oci/invalid-input.ts';

/** The registry that a `login` means: a host, with or without a scheme and a path; none is Docker Hub. */
export function registryDomain(server: string | undefined): string {
  if (server === undefined) return 'docker.io';
  const host = server.replace(/^https?:\/\//, '').split('/')[0]!;
  if (!/^[A-Za-z0-9.[\]:_-]+$/.test(host)) throw new InvalidInput(`invalid registry: ${JSON.stringify(server)}`);
  return host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host;
}
