/**
 * DNS from inside a sandbox to resolvers on the loopback of the namespace that this runs in, as its root. Prints what the lookups
 * gave; gateway.system.test.ts judges it.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildAnswer, parseQuery, truncate } from '../src/wire/dns.ts';
import { GATEWAY, Sandbox } from './sandbox.ts';

function answer(query: Uint8Array, address: string): Uint8Array {
  const parsed = parseQuery(query);
  if (parsed.kind !== 'query') throw new Error('not a query');
  return buildAnswer(query, parsed.question, 0, [
    { type: 1, ttl: 1, data: Uint8Array.from(address.split('.'), Number) },
  ]);
}

/** A UDP resolver. Its answers for names in "long." do not fit, so that clients come again over TCP; first it sends forgeries. */
async function serveUdp(host: string, address: string): Promise<void> {
  const socket = createSocket('udp4', (query, peer) => {
    const real = answer(query, address);
    const forged = Uint8Array.from(answer(query, '6.6.6.6'));
    forged[0] = forged[0]! ^ 1;
    socket.send(forged, peer.port, peer.address);
    const parsed = parseQuery(query);
    const long = parsed.kind === 'query' && parsed.question.name.startsWith('long.');
    socket.send(long ? truncate(real, 20) : real, peer.port, peer.address);
  });
  socket.bind(53, host);
  await once(socket, 'listening');
}

async function serveTcp(host: string, address: string): Promise<void> {
  const server = createServer((socket) => {
    socket.on('data', (data) => {
      const reply = answer(data.subarray(2), address);
      // In two pieces, as TCP may deliver it.
      socket.write(Buffer.of(reply.length >> 8));
      setTimeout(() => socket.end(Buffer.concat([Buffer.of(reply.length & 0xff), reply])), 20);
    });
  });
  server.listen(53, host);
  await once(server, 'listening');
}

await serveUdp('127.0.0.254', '192.0.2.1');
await serveTcp('127.0.0.254', '192.0.2.2');
await serveUdp('127.0.0.253', '192.0.2.3');

const folder = mkdtempSync(join(tmpdir(), 'netstack-dns-'));
const resolvConf = join(folder, 'resolv.conf');

function resolveWith(...servers: string[]): void {
  writeFileSync(`${resolvConf}.new`, servers.map((server) => `nameserver ${server}\n`).join(''));
  renameSync(`${resolvConf}.new`, resolvConf);
}

resolveWith('127.0.0.254');
const sandbox = await Sandbox.open({ resolvConf });

async function lookUp(name: string): Promise<string> {
  const script = `const d=new (require('dns').promises.Resolver)({timeout:12000,tries:1});d.setServers(['${GATEWAY}']);d.resolve4('${name}').then(a=>console.log(a[0]),e=>console.log(e.code))`;
  const child = sandbox.start(process.execPath, '-e', script);
  let output = '';
  child.stdout.on('data', (data) => (output += String(data)));
  await once(child, 'close');
  return output.trim();
}

const udp = await lookUp('example.org');
const tcp = await lookUp('long.example.org');
resolveWith('127.0.0.252', '127.0.0.254'); // the first is not there
const second = await lookUp('example.org');
resolveWith('127.0.0.253');
const moved = await lookUp('example.org');
resolveWith('127.0.0.252');
const silent = await lookUp('example.org');
await sandbox.close();
rmSync(folder, { recursive: true });
process.stdout.write(JSON.stringify({ udp, tcp, second, moved, silent }));
process.exit(0);
