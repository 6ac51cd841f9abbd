/** Docker's words for a port that could not be bound. */
import type { EndpointRequest } from './driver.ts';
import { formatHostPort } from './port-mapping.ts';
import { RefusedError } from './process/client.ts';

const reasons: Readonly<Record<string, (port: number) => string>> = {
  EADDRINUSE: () => 'port is already allocated',
  EADDRNOTAVAIL: () => 'cannot assign requested address',
  // ip-sysctl.rst, ip_unprivileged_port_start: all ports from there on are everybody's.
  EACCES: (port) =>
    'permission denied; an administrator lets everybody use it with: ' +
    `sysctl -w net.ipv4.ip_unprivileged_port_start=${port}`,
};

/** The error to show instead of `error`, which may be about something else and is then returned as it is. */
export function publishingError(error: unknown, request: EndpointRequest, endpoint: string, network: string): unknown {
  if (!(error instanceof RefusedError)) return error;
  const { code, port } = error;
  if (port === undefined) return new Error(`Cannot join network ${network}: ${error.message}`, { cause: error });
  const reason = reasons[code ?? '']?.(port.hostPort) ?? error.message;
  const message =
    `driver failed programming external connectivity on endpoint ${request.name} (${endpoint}): ` +
    `Bind for ${formatHostPort(port.hostAddress, port.hostPort)} failed: ${reason}`;
  return Object.assign(new Error(message, { cause: error }), { code });
}
