import type { PublishOptions, PublishedPort } from 'netstack';
import { expect, test } from 'vitest';
import { bindPort } from './port-binding.ts';

/** A host on which some ports are taken; remembers what is open. */
class Host {
  readonly open = new Set<string>();
  readonly taken: Set<string>;
  readonly failures: Map<string, string>;
  #free = 40_000;

  constructor(taken: string[] = [], failures: Record<string, string> = {}) {
    this.taken = new Set(taken);
    this.failures = new Map(Object.entries(failures));
  }

  publish({ protocol, hostAddress, hostPort }: PublishOptions): PublishedPort {
    const port = hostPort === 0 ? this.#free++ : hostPort;
    const name = `${hostAddress} ${port}`;
    const failure = this.failures.get(hostAddress) ?? (this.taken.has(name) ? 'EADDRINUSE' : undefined);
    if (failure !== undefined) throw Object.assign(new Error(failure), { code: failure });
    this.open.add(name);
    return { protocol, hostAddress, hostPort: port, close: () => void this.open.delete(name) };
  }
}

const tcp = { protocol: 'tcp', containerPort: 80 } as const;

const container = { address: '10.88.0.2' };

test('without an address, IPv4 and IPv6 get the same port', () => {
  const host = new Host();
  const binding = bindPort(host, { ...tcp, hostPort: 8080 }, container);
  expect(binding.ports).toEqual([
    { ...tcp, hostAddress: '0.0.0.0', hostPort: 8080 },
    { ...tcp, hostAddress: '::', hostPort: 8080 },
  ]);
  binding.close();
  expect(host.open.size).toBe(0);
});

test('with an address, only that', () => {
  const host = new Host();
  bindPort(host, { ...tcp, hostAddress: '127.0.0.1', hostPort: 8080 }, container);
  expect([...host.open]).toEqual(['127.0.0.1 8080']);
});

test('any free port is drawn again when IPv6 has it taken', () => {
  const host = new Host([':: 40000', ':: 40001']);
  const { ports } = bindPort(host, { ...tcp, hostPort: 0 }, container);
  expect(ports.map(({ hostPort }) => hostPort)).toEqual([40_002, 40_002]);
  expect(host.open.size).toBe(2);
});

test('the first port of a range that is free in both', () => {
  const host = new Host(['0.0.0.0 8000', ':: 8001']);
  const { ports } = bindPort(host, { ...tcp, hostPort: 8000, hostPortEnd: 8003 }, container);
  expect(ports.map(({ hostPort }) => hostPort)).toEqual([8002, 8002]);
});

test('a taken port is an error that says which, with nothing left open', () => {
  const host = new Host([':: 8080']);
  expect(() => bindPort(host, { ...tcp, hostPort: 8080 }, container)).toThrow(
    expect.objectContaining({ code: 'EADDRINUSE', hostAddress: '::', hostPort: 8080 }),
  );
  expect(host.open.size).toBe(0);
  const full = new Host(['0.0.0.0 8000', '0.0.0.0 8001']);
  expect(() => bindPort(full, { ...tcp, hostPort: 8000, hostPortEnd: 8001 }, container)).toThrow(
    expect.objectContaining({ code: 'EADDRINUSE', hostPort: 8001 }),
  );
});

test('a host without IPv6 has IPv4 alone, but not where IPv6 was asked for', () => {
  const host = new Host([], { '::': 'EAFNOSUPPORT' });
  expect(bindPort(host, { ...tcp, hostPort: 8080 }, container).ports).toHaveLength(1);
  expect(() => bindPort(host, { ...tcp, hostAddress: '::', hostPort: 8081 }, container)).toThrow('EAFNOSUPPORT');
});

test('a port that may not be bound is no reason to try another', () => {
  const host = new Host([], { '0.0.0.0': 'EACCES' });
  expect(() => bindPort(host, { ...tcp, hostPort: 80, hostPortEnd: 90 }, container)).toThrow(
    expect.objectContaining({ code: 'EACCES', hostPort: 80 }),
  );
});

test('peers that come by IPv6 go to the IPv6 address, where there is one', () => {
  const led: string[] = [];
  const publisher = {
    publish: (options: PublishOptions) => {
      led.push(`${options.hostAddress} ${options.containerAddress}`);
      return { ...options, close: () => undefined };
    },
  };
  bindPort(publisher, { ...tcp, hostPort: 8080 }, { address: '10.88.0.2', address6: 'fd00::2' });
  expect(led).toEqual(['0.0.0.0 10.88.0.2', ':: fd00::2']);
});
