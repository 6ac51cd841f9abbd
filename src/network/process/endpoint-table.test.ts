import type { EventLoop, Member, PublishOptions, PublishedPort } from 'netstack';
import { beforeEach, expect, test } from 'vitest';
import { EndpointTable } from './endpoint-table.ts';
import type { NameTable } from '../name-directory.ts';
import type { ProcessEndpoint } from './protocol.ts';

let now: number;
let timers: (() => void)[];
let members: Map<string, string>;
let open: Set<number>;
let taken: Set<number>;
let logged: string[];
let names: NameTable;
let ruled: string[];
let limited: string[];
let table: EndpointTable;

beforeEach(() => {
  now = 0;
  timers = [];
  members = new Map();
  open = new Set();
  taken = new Set();
  logged = [];
  const loop = {
    timers: {
      get now() {
        return now;
      },
    },
    schedule: (_delay: number, callback: () => void) => timers.push(callback),
  } as unknown as EventLoop;
  const gateway = {
    admit({ address, mac }: Member) {
      members.set(address, mac);
      return { close: () => void members.delete(address) };
    },
    limit: (mac: string, limits: object | undefined) => void limited.push(`${mac} ${JSON.stringify(limits)}`),
    publish({ protocol, hostAddress, hostPort }: PublishOptions): PublishedPort {
      if (taken.has(hostPort) || open.has(hostPort)) throw Object.assign(new Error('in use'), { code: 'EADDRINUSE' });
      open.add(hostPort);
      return { protocol, hostAddress, hostPort, close: () => void open.delete(hostPort) };
    },
  };
  names = {};
  ruled = [];
  limited = [];
  table = new EndpointTable({
    loop,
    gateways: { open: () => ({ gateway, close: () => undefined }) },
    network: 'net',
    foreign: () => names,
    egress: {
      set: (container: string, addresses: readonly string[], rules?: readonly object[]) =>
        void ruled.push(`${container} ${addresses.join()} ${rules?.length ?? 0}`),
      delete: (container) => void ruled.push(`${container} -`),
    },
    log: (message) => logged.push(message),
  });
});

function endpoint(container: string, last: number, ...ports: number[]): ProcessEndpoint {
  return {
    container,
    address: `10.88.0.${last}`,
    mac: `02:42:0a:58:00:0${last}`,
    names: [container, `${container}.example`],
    ports: ports.map((hostPort) => ({ protocol: 'tcp', hostAddress: '127.0.0.1', hostPort, containerPort: 80 })),
  };
}

/** Lets `ms` pass, one retry at most. */
function pass(ms: number): void {
  now += ms;
  for (const timer of timers.splice(0)) timer();
}

test('a container is admitted, its ports are bound, and all of it is undone', () => {
  expect(table.add(endpoint('a', 2, 8080, 8081)).map(({ hostPort }) => hostPort)).toEqual([8080, 8081]);
  expect(members.get('10.88.0.2')).toBe('02:42:0a:58:00:02');
  expect(open).toEqual(new Set([8080, 8081]));
  table.remove('a');
  table.remove('a');
  expect([members.size, open.size, table.size]).toEqual([0, 0, 0]);
});

test('with one port taken none is bound', () => {
  taken.add(8081);
  expect(() => table.add(endpoint('a', 2, 8080, 8081))).toThrow('in use');
  expect([members.size, open.size, table.size]).toEqual([0, 0, 0]);
});

test('the same container again replaces the first', () => {
  table.add(endpoint('a', 2, 8080));
  table.add(endpoint('a', 3, 8080));
  expect([...members.keys()]).toEqual(['10.88.0.3']);
  expect(table.resolve({ name: 'a', type: 'A' }, '10.88.0.9')).toEqual(['10.88.0.3']);
});

test('synchronize leaves alone what is right, removes and adds the rest', () => {
  table.add(endpoint('a', 2, 8080));
  table.add(endpoint('b', 3, 8081));
  table.synchronize([endpoint('a', 2, 8080), endpoint('c', 4, 8082)]);
  expect(table.status().map(({ container }) => container)).toEqual(['a', 'c']);
  expect(open).toEqual(new Set([8080, 8082]));
});

test('ports that a predecessor still holds are tried again', () => {
  taken.add(8080);
  table.synchronize([endpoint('a', 2, 8080, 8081)]);
  expect(table.status()[0]).toMatchObject({ pending: 1 });
  expect(open).toEqual(new Set([8081]));
  pass(50);
  taken.delete(8080);
  pass(50);
  expect(table.status()[0]).toMatchObject({ pending: 0 });
  expect(open).toEqual(new Set([8081, 8080]));
  expect([timers.length, logged.length]).toEqual([0, 0]);
});

test('and given up with a word after some seconds; a removed container’s at once', () => {
  taken.add(8080);
  table.synchronize([endpoint('a', 2, 8080)]);
  for (let i = 0; i < 300; i++) pass(50);
  expect(timers).toHaveLength(0);
  expect(logged).toEqual(['Cannot publish 127.0.0.1:8080: in use']);
  table.synchronize([endpoint('b', 3, 8080)]);
  table.remove('b');
  taken.delete(8080);
  pass(50);
  expect([open.size, timers.length]).toEqual([0, 0]);
});

test('names and addresses of containers, and nothing else, are answered', () => {
  table.add(endpoint('Web', 2));
  table.add({ ...endpoint('db', 3), names: ['shared'] });
  table.add({ ...endpoint('cache', 4), names: ['shared'] });
  table.add({ ...endpoint('nameless', 5), names: [] });
  expect(table.resolve({ name: 'web', type: 'A' }, '10.88.0.9')).toEqual(['10.88.0.2']);
  expect(table.resolve({ name: 'web', type: 'AAAA' }, '10.88.0.9')).toEqual([]);
  expect(table.resolve({ name: 'shared', type: 'A' }, '10.88.0.9')).toEqual(['10.88.0.3', '10.88.0.4']);
  expect(table.resolve({ name: 'example.org', type: 'A' }, '10.88.0.9')).toBeUndefined();
  expect(table.resolve({ name: '2.0.88.10.in-addr.arpa', type: 'PTR' }, '10.88.0.9')).toEqual(['Web.net']);
  expect(table.resolve({ name: '5.0.88.10.in-addr.arpa', type: 'PTR' }, '10.88.0.9')).toBeUndefined();
  expect(table.resolve({ name: '9.0.88.10.in-addr.arpa', type: 'PTR' }, '10.88.0.9')).toBeUndefined();
  table.remove('db');
  expect(table.resolve({ name: 'shared', type: 'A' }, '10.88.0.9')).toEqual(['10.88.0.4']);
  table.remove('cache');
  expect(table.resolve({ name: 'shared', type: 'A' }, '10.88.0.9')).toBeUndefined();
});

test('a name is one with the network behind it as well, and IPv6 addresses are found both ways', () => {
  table.add({ ...endpoint('web', 2), address6: 'fd00::2' });
  expect(table.resolve({ name: 'web.net', type: 'AAAA' }, '10.88.0.9')).toEqual(['fd00::2']);
  const reverse = '2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa';
  expect(table.resolve({ name: reverse, type: 'PTR' }, '10.88.0.9')).toEqual(['web.net']);
});

test('a container may have resolvers of its own', () => {
  table.add({ ...endpoint('a', 2), resolvers: ['192.0.2.53'] });
  table.add(endpoint('b', 3));
  expect(['10.88.0.2', '10.88.0.3', '10.88.0.9'].map((from) => table.resolversOf(from))).toEqual([
    ['192.0.2.53'],
    undefined,
    undefined,
  ]);
});

test('an alias of a link is known to its container alone, and follows what it names', () => {
  table.add({ ...endpoint('app', 2), links: { DB: 'postgres' } });
  table.add(endpoint('postgres', 3));
  expect(table.resolve({ name: 'db', type: 'A' }, '10.88.0.2')).toEqual(['10.88.0.3']);
  expect(table.resolve({ name: 'db', type: 'A' }, '10.88.0.3')).toBeUndefined();
  table.add(endpoint('postgres', 4));
  expect(table.resolve({ name: 'db', type: 'A' }, '10.88.0.2')).toEqual(['10.88.0.4']);
});

test('names of another network are for containers that are on it', () => {
  table.add(endpoint('both', 2));
  table.add(endpoint('here', 3));
  names = {
    other: {
      both: { names: ['both'], addresses: ['10.89.0.2'] },
      db: { names: ['db'], addresses: ['10.89.0.3'] },
    },
  };
  expect(table.resolve({ name: 'db', type: 'A' }, '10.88.0.2')).toEqual(['10.89.0.3']);
  expect(table.resolve({ name: '3.0.89.10.in-addr.arpa', type: 'PTR' }, '10.88.0.2')).toEqual(['db.other']);
  expect(table.resolve({ name: 'db', type: 'A' }, '10.88.0.3')).toBeUndefined();
});

test('other names leave ports alone', () => {
  table.add(endpoint('a', 2, 8080));
  table.update({ ...endpoint('a', 2), names: ['renamed'] });
  expect(open).toEqual(new Set([8080]));
  expect(table.resolve({ name: 'renamed', type: 'A' }, '10.88.0.9')).toEqual(['10.88.0.2']);
  expect(table.resolve({ name: 'a', type: 'A' }, '10.88.0.9')).toBeUndefined();
});

test('rules of traffic are set, changed and lifted with the container', () => {
  const mac = '02:42:0a:58:00:02';
  const rule = { action: 'deny', target: { kind: 'any' }, text: '*' } as const;
  table.add({ ...endpoint('a', 2), traffic: { delay: 50, egress: [rule] } });
  table.update({ ...endpoint('a', 2), traffic: { rate: 1000 } });
  table.remove('a');
  expect(ruled).toEqual(['a 10.88.0.2 1', 'a 10.88.0.2 0', 'a -']);
  expect(limited).toEqual([`${mac} {"delay":50}`, `${mac} {"rate":1000}`, `${mac} undefined`]);
});
