/** Answers the requests of protocol.ts on a unix socket. A malformed request gets a refusal, never ends the process. */
import type { EventLoop } from 'netstack';
import type { EgressRule, TrafficRules } from '../../base/traffic.ts';
import { errorCode } from '../../base/error-code.ts';
import { acceptUnix } from '../../sys/unix-listener.ts';
import { parseAddress, parseMac } from '../ipv4.ts';
import { parseAddress6 } from '../ipv6.ts';
import type { PortMapping } from '../port-mapping.ts';
import { LineConnection } from './line-connection.ts';
import type { BindError } from './port-binding.ts';
import type { Method, Methods, ProcessEndpoint, Refusal, Reply } from './protocol.ts';

/** A function for each method. What it throws becomes a refusal. */
export type Handlers = { readonly [M in Method]: (params: Methods[M]['params']) => Methods[M]['result'] };

export interface ServeOptions {
  readonly log: (message: string) => void;
  /** Called whenever a client has come or gone, with how many there are. */
  readonly onClients: (count: number) => void;
}

/** Serves connections to `listener` (from listenUnix) on the loop. */
export function serveControl(
  loop: EventLoop,
  listener: number,
  handlers: Handlers,
  { log, onClients }: ServeOptions,
): void {
  let clients = 0;
  function serve(fd: number): void {
    const connection: LineConnection = new LineConnection(
      loop,
      fd,
      (line) => connection.send(JSON.stringify(answer(line, handlers))),
      () => onClients(--clients),
    );
    onClients(++clients);
  }
  loop.add(listener, () => {
    try {
      for (let fd; (fd = acceptUnix(listener)) !== undefined;) serve(fd);
    } catch (error) {
      // EMFILE among others: the client waits in the backlog or gives up, the network goes on.
      log(`Cannot accept a connection: ${(error as Error).message}`);
    }
  });
}

/** The reply to one line. */
export function answer(line: string, handlers: Handlers): Reply {
  let id = 0;
  try {
    const request = JSON.parse(line) as { id?: unknown; method?: unknown; params?: unknown };
    if (typeof request.id === 'number') id = request.id;
    if (typeof request.method !== 'string' || !Object.hasOwn(handlers, request.method)) {
      throw new TypeError(`unknown method ${JSON.stringify(request.method)}`);
    }
    const method = request.method as Method;
    const handler = handlers[method] as (params: unknown) => unknown;
    return { id, result: handler(checkParams(method, request.params)) };
  } catch (error) {
    return { id, error: refusal(error) };
  }
}

function refusal(error: unknown): Refusal {
  const { message, hostAddress, hostPort } = error as BindError;
  const code = errorCode(error);
  return {
    message,
    ...(code === undefined ? {} : { code }),
    ...((hostAddress as string | undefined) === undefined ? {} : { port: { hostAddress, hostPort } }),
  };
}

function checkParams(method: Method, params: unknown): unknown {
  const given = (params ?? {}) as Record<string, unknown>;
  if (method === 'add' || method === 'update') return { endpoint: checkEndpoint(given['endpoint']) };
  if (method === 'remove') return { container: checkString(given['container'], 'container') };
  if (method === 'synchronize') return { endpoints: checkArray(given['endpoints'], 'endpoints').map(checkEndpoint) };
  return {};
}

function checkEndpoint(value: unknown): ProcessEndpoint {
  const given = (value ?? {}) as Record<string, unknown>;
  const address = checkString(given['address'], 'address');
  const mac = checkString(given['mac'], 'mac');
  if (parseAddress(address) === undefined) throw new TypeError(`invalid address ${address}`);
  const address6 = given['address6'] === undefined ? undefined : checkString(given['address6'], 'address6');
  if (address6 !== undefined && parseAddress6(address6) === undefined)
    throw new TypeError(`invalid address ${address6}`);
  if (parseMac(mac) === undefined) throw new TypeError(`invalid MAC ${mac}`);
  return {
    container: checkString(given['container'], 'container'),
    address,
    ...(address6 === undefined ? {} : { address6 }),
    mac,
    ...(given['links'] === undefined ? {} : { links: checkLinks(given['links']) }),
    ...(given['traffic'] === undefined ? {} : { traffic: checkTraffic(given['traffic']) }),
    ...(given['resolvers'] === undefined
      ? {}
      : { resolvers: checkArray(given['resolvers'], 'resolvers').map((each) => checkString(each, 'resolver')) }),
    names: checkArray(given['names'], 'names').map((name) => checkString(name, 'name')),
    ports: checkArray(given['ports'], 'ports').map(checkMapping),
    ...(given['tap'] === undefined ? {} : { tap: checkTap(given['tap']) }),
  };
}

/** The rules themselves are as the agent has parsed them; one that is not is refused when it is compiled. */
function checkTraffic(value: unknown): TrafficRules {
  const { rate, delay, loss, egress } = (value ?? {}) as Record<string, unknown>;
  return {
    ...(rate === undefined ? {} : { rate: checkNumber(rate, 'rate') }),
    ...(delay === undefined ? {} : { delay: checkNumber(delay, 'delay') }),
    ...(loss === undefined ? {} : { loss: checkNumber(loss, 'loss') }),
    ...(egress === undefined ? {} : { egress: checkArray(egress, 'egress') as EgressRule[] }),
  };
}

function checkNumber(value: unknown, name: string): number {
  if (typeof value === 'number' && value >= 0 && Number.isFinite(value)) return value;
  throw new TypeError(`invalid ${name} ${JSON.stringify(value)}`);
}

function checkLinks(value: unknown): Record<string, string> {
  const entries = Object.entries(value as Record<string, unknown>);
  return Object.fromEntries(entries.map(([alias, name]) => [alias, checkString(name, 'link')]));
}

function checkTap(value: unknown): NonNullable<ProcessEndpoint['tap']> {
  const { name, pid, fd } = (value ?? {}) as Record<string, unknown>;
  if (!Number.isInteger(pid) || !Number.isInteger(fd)) throw new TypeError('invalid TAP');
  return { name: checkString(name, 'name'), pid: pid as number, fd: fd as number };
}

function checkMapping(value: unknown): PortMapping {
  const given = (value ?? {}) as Record<string, unknown>;
  const { protocol, hostAddress, hostPortEnd } = given;
  if (protocol !== 'tcp' && protocol !== 'udp') throw new TypeError(`invalid protocol ${JSON.stringify(protocol)}`);
  return {
    protocol,
    ...(hostAddress === undefined ? {} : { hostAddress: checkString(hostAddress, 'hostAddress') }),
    hostPort: checkPort(given['hostPort'], 0),
    ...(hostPortEnd === undefined ? {} : { hostPortEnd: checkPort(hostPortEnd, 1) }),
    containerPort: checkPort(given['containerPort'], 1),
  };
}

function checkPort(value: unknown, least: number): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= 65535) return value;
  throw new TypeError(`invalid port ${JSON.stringify(value)}`);
}

function checkString(value: unknown, name: string): string {
  if (typeof value === 'string') return value;
  throw new TypeError(`${name} is no string`);
}

function checkArray(value: unknown, name: string): unknown[] {
  if (Array.isArray(value)) return value as unknown[];
  throw new TypeError(`${name} is no list`);
}
