/** The ports on which a container says that it listens. */
import type { Container } from './container.ts';
import type { EngineContext } from './context.ts';
import { findSource } from './lower.ts';

export interface ExposedPort {
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp';
}

/** Those that its image or `--expose` names, and those that it publishes. One may be there twice. */
export function exposedPorts(context: EngineContext, { config }: Container): ExposedPort[] {
  const { request, image } = config;
  const ofImage = exposedByImage(findSource(context, request, image).config.ExposedPorts ?? {});
  return [...ofImage, ...(request.exposed ?? []), ...request.ports];
}

/** Keys as `80/tcp` or `80`; what is none of ours (sctp) is left out. */
function exposedByImage(ports: Readonly<Record<string, object>>): ExposedPort[] {
  return Object.keys(ports).flatMap((key) => {
    const [, port, protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(key) ?? [];
    const containerPort = Number(port);
    return containerPort >= 1 && containerPort <= 65535 ? [{ containerPort, protocol: protocol as 'tcp' | 'udp' }] : [];
  });
}
