import { ImageError } from '../image-error.ts';
import type { ImageStore } from '../image-store.ts';
import { findCredentials, type Credentials } from './credentials.ts';
import { RegistrySession, type RegistryOptions } from './registry-session.ts';

/** The places to ask for images of a registry, in order: its mirrors, and itself. To be closed. */
export function openRegistries(store: ImageStore, domain: string): RegistrySession[] {
  const mirrors = (store.options.mirrors?.[domain] ?? []).map((address) => {
    const base = mirrorAddress(address);
    return new RegistrySession(base.host, { ...registryOptions(store, base.host), base });
  });
  return [...mirrors, openRegistry(store, domain)];
}

/** The registry itself. To be closed. */
export function openRegistry(store: ImageStore, domain: string): RegistrySession {
  return new RegistrySession(domain, registryOptions(store, domain));
}

function registryOptions(store: ImageStore, domain: string): RegistryOptions {
  const { env = process.env, insecureRegistries, registry } = store.options;
  let credentials: Promise<Credentials | undefined> | undefined;
  return {
    ...registry,
    ...(insecureRegistries && { insecureRegistries }),
    env,
    credentials: () => (credentials ??= findCredentials(domain, env)),
  };
}

/** `https://mirror.example/prefix`, or a host alone. */
function mirrorAddress(text: string): URL {
  const url = URL.parse(/^https?:\/\//i.test(text) ? text : `https://${text}`);
  if (url) return url;
  throw new ImageError('INVALID', `The configuration names an invalid mirror: ${JSON.stringify(text)}`);
}
