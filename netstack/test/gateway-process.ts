/**
 * A network process as an embedder would write one, for tests and benches: takes a TAP from a holder process, serves it, and obeys
 * lines of JSON on standard input: {"publish": PublishOptions} | {"unpublish": port} | {"stats": true} | {"admit": Member} |
 * {"dismiss": address}.
 * Each is answered by a line of JSON on standard output. Arguments: the holder's pid, its descriptor, options as JSON.
 */
import { readSync, writeSync } from 'node:fs';
import { EventLoop, Gateway, attachTap, hostResolvers, takeFd } from '../src/index.ts';
import type { Member, PublishOptions, PublishedPort } from '../src/index.ts';

export interface Settings {
  readonly mtu?: number;
  readonly vnetHeader?: boolean;
  readonly hostLoopback?: boolean;
  readonly resolvConf?: string;
  readonly names?: Record<string, readonly string[]>;
  readonly ipv6?: boolean;
  readonly window?: number;
  readonly prefix?: number;
}

interface Command {
  readonly publish?: PublishOptions;
  readonly unpublish?: number;
  readonly stats?: true;
  readonly admit?: Member;
  /** May come with `admit`: that member is dismissed, and admitted again at once. */
  readonly dismiss?: string;
}

const [pid, fd, json] = process.argv.slice(2);
const settings = JSON.parse(json ?? '{}') as Settings;
const loop = new EventLoop();
const gateway = new Gateway({
  loop,
  tap: attachTap(takeFd(Number(pid), Number(fd)), 'tap0', { vnetHeader: settings.vnetHeader ?? true }),
  address: '10.0.2.2',
  prefix: settings.prefix ?? 24,
  mac: '52:55:0a:00:02:02',
  mtu: settings.mtu ?? 1500,
  ...(settings.ipv6 === true && { address6: 'fd00::2', prefix6: 64 }),
  dnsAddress: '10.0.2.3',
  hostLoopback: settings.hostLoopback ?? true,
  resolvers: settings.resolvConf === undefined ? () => ['127.0.0.1'] : hostResolvers(settings.resolvConf),
  names: ({ name, type }) => settings.names?.[`${name}/${type}`],
  log: (message) => process.stderr.write(`${message}\n`),
  ...(settings.window !== undefined && { limits: { window: settings.window } }),
});

const ports = new Map<number, PublishedPort>();
const members = new Map<string, { close(): void }>();
let input = '';
const buffer = Buffer.alloc(65_536);

function obey(command: Command): unknown {
  if (command.publish) {
    const port = gateway.publish(command.publish);
    ports.set(port.hostPort, port);
    return { hostPort: port.hostPort };
  }
  if (command.unpublish !== undefined) ports.get(command.unpublish)?.close();
  if (command.dismiss !== undefined) members.get(command.dismiss)?.close();
  if (command.admit) members.set(command.admit.address, gateway.admit(command.admit));
  return command.stats ? { ...gateway.stats(), memory: process.memoryUsage.rss() } : {};
}

loop.add(0, () => {
  const count = readSync(0, buffer);
  if (count === 0) process.exit(0);
  input += buffer.toString('utf8', 0, count);
  for (let end = input.indexOf('\n'); end >= 0; end = input.indexOf('\n')) {
    let answer: unknown;
    try {
      answer = obey(JSON.parse(input.slice(0, end)) as Command);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      answer = { error: { code, message } };
    }
    input = input.slice(end + 1);
    writeSync(1, `${JSON.stringify(answer)}\n`);
  }
});
writeSync(1, 'ready\n');
loop.run();
