/**
 * `serve.ts HTTP-PORT HTTP2-PORT`, on the host or in a container: HTTP and WebSocket on the one, HTTP/2 without TLS on the other
 * (0: any), on all addresses of IPv4. Prints the ports when it listens. A POST is answered with the sum of what came, a GET with
 * the peer's address; what a WebSocket sends comes back.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { echoWebSocket } from './web-socket-echo.ts';

const [port1 = 0, port2 = 0] = process.argv.slice(2).map(Number);

const http = createServer((request, response) => {
  if (request.method !== 'POST') {
    response.end(`${request.socket.remoteAddress ?? ''}\n`);
    return;
  }
  const hash = createHash('sha256');
  request.on('data', (chunk: Buffer) => hash.update(chunk));
  request.on('end', () => response.end(hash.digest('hex')));
});
http.on('upgrade', echoWebSocket);

const http2 = createHttp2Server();
http2.on('stream', (stream) => {
  const hash = createHash('sha256');
  stream.on('data', (chunk: Buffer) => hash.update(chunk));
  stream.on('end', () => {
    stream.respond({ ':status': 200 });
    stream.end(hash.digest('hex'));
  });
});

await new Promise<void>((resolve) => http.listen(port1, '0.0.0.0', resolve));
await new Promise<void>((resolve) => http2.listen(port2, '0.0.0.0', resolve));
console.log([http, http2].map((server) => (server.address() as AddressInfo).port).join(' '));
