import type { ContainerState } from '../../engine/container.ts';

/** A published port. */
export type ListedPort = NonNullable<ContainerState['network']>['ports'][number];

/** `0.0.0.0:8080->80/tcp, 0.0.0.0:9000-9002->9000-9002/tcp`: neighbours become a range, as in `docker ps`. */
export function formatPorts(ports: readonly ListedPort[]): string {
  const sorted = [...ports].sort(
    (a, b) =>
      a.containerPort - b.containerPort ||
      compare(a.protocol, b.protocol) ||
      compare(a.hostAddress, b.hostAddress) ||
      a.hostPort - b.hostPort,
  );
  const ranges: { first: ListedPort; length: number }[] = [];
  for (const port of sorted) {
    const range = ranges.find(({ first, length }) => continues(first, length, port));
    if (range === undefined) ranges.push({ first: port, length: 1 });
    else range.length++;
  }
  return ranges.map(formatRange).join(', ');
}

function continues(first: ListedPort, length: number, port: ListedPort): boolean {
  return (
    port.protocol === first.protocol &&
    port.hostAddress === first.hostAddress &&
    port.containerPort === first.containerPort + length &&
    port.hostPort === first.hostPort + length
  );
}

function formatRange({ first, length }: { first: ListedPort; length: number }): string {
  function span(port: number): string {
    return length === 1 ? String(port) : `${port}-${port + length - 1}`;
  }
  return `${hostEnd(first.hostAddress, span(first.hostPort))}->${span(first.containerPort)}/${first.protocol}`;
}

/** `0.0.0.0:8080`, `[::]:8080`. */
export function hostEnd(address: string, port: string | number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
