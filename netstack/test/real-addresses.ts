/**
 * Peers with an address of their own, in a namespace that stands for the host's, as its root: 198.51.100.1 is an address of the
 * "host". Prints what the container saw; gateway.system.test.ts judges it.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { GatewayStats } from '../src/index.ts';
import { CONTAINER, Sandbox } from './sandbox.ts';

const HOST = '198.51.100.1';
const PING_RANGE = '/proc/sys/net/ipv4/ping_group_range';

const sandbox = await Sandbox.open();

async function inside(script: string): Promise<string> {
  const child = sandbox.start('sh', '-c', script);
  let output = '';
  child.stdout.on('data', (data) => (output += String(data)));
  await once(child, 'close');
  return output;
}

async function publish(protocol: string, containerPort: number): Promise<number> {
  const options = { protocol, hostAddress: '0.0.0.0', hostPort: 0, containerAddress: CONTAINER, containerPort };
  const { hostPort } = await sandbox.command<{ hostPort: number }>({ publish: options });
  return hostPort;
}

async function readAll(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

const tcpServer = `require('net').createServer(s=>s.end(s.remoteAddress+' '+s.remotePort)).listen(80,'0.0.0.0',()=>console.log('up'))`;
await once(sandbox.start('node', '-e', tcpServer).stdout, 'data');
const socket = connect({ host: HOST, port: await publish('tcp', 80), localAddress: HOST });
await once(socket, 'connect');
const ownPort = socket.localPort;
const tcp = (await readAll(socket)) === `${HOST} ${ownPort}`;

const udpServer = `const s=require('dgram').createSocket('udp4');s.on('message',(m,r)=>s.send(r.address+' '+r.port,r.port,r.address));s.bind(53,()=>console.log('up'))`;
await once(sandbox.start('node', '-e', udpServer).stdout, 'data');
const client = createSocket('udp4');
client.bind(0, HOST);
await once(client, 'listening');
client.send('x', await publish('udp', 53), HOST);
const [message, from] = (await once(client, 'message', { signal: AbortSignal.timeout(5000) })) as [
  Buffer,
  { address: string },
];
const udp = String(message) === `${HOST} ${client.address().port}` && from.address === HOST;
client.close();

// A new namespace permits ping sockets to nobody.
const forbidden = await inside(`busybox ping -c 1 -W 1 ${HOST}`);
writeFileSync(PING_RANGE, '0 0');
const ping = (await inside(`busybox ping -c 2 -W 2 ${HOST}`)).includes('2 packets received');
const { icmp } = await sandbox.command<GatewayStats>({ stats: true });

await sandbox.close();
process.stdout.write(JSON.stringify({ tcp, udp, ping, forged: forbidden.includes('1 packets received'), icmp }));
process.exit(0);
