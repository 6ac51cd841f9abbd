/**
 * Both ends of the small-message loads: blocking sockets, one connection at a time, as little around them as possible.
 *
 *     tcp-load.ts serve ADDRESS PORT              echoes single bytes until its clients leave
 *     tcp-load.ts connect|echo|ping-pong ADDRESS PORT SECONDS   prints operations per second
 *
 * connect: connect and close. echo: connect, one byte there and back, close. ping-pong: one byte there and back on one connection.
 */
import { addressOf, check, libc } from '../src/sys/libc.ts';
import { SOCKET_OPTION, acceptSocket, bindSocket, connectSocket, setOption, tcpSocket } from '../src/sys/socket.ts';
import { IpAddress } from '../src/wire/address.ts';

const [mode, addressText, portText, secondsText] = process.argv.slice(2);
const endpoint = { address: IpAddress.from(addressText ?? ''), port: Number(portText) };
const byte = new Uint8Array(1);
const byteAddress = addressOf(byte);
const F_SETFL = 4;

function blocking(fd: number): number {
  check(fd, 'socket', 'Cannot make a socket');
  libc.fcntl(fd, F_SETFL, 0);
  setOption(fd, SOCKET_OPTION.TCP_NODELAY, 1);
  return fd;
}

function connect(): number {
  const fd = blocking(tcpSocket(endpoint.address.version));
  const error = connectSocket(fd, endpoint);
  if (error !== 0) throw new Error(`connect: ${error}`);
  return fd;
}

function exchange(fd: number): void {
  libc.send(fd, byteAddress, 1, 0);
  if (libc.recv(fd, byteAddress, 1, 0) !== 1) throw new Error('no answer');
}

function serve(): void {
  const listener = blocking(tcpSocket(endpoint.address.version));
  setOption(listener, SOCKET_OPTION.REUSEADDR, 1);
  bindSocket(listener, endpoint);
  libc.listen(listener, 1024);
  process.stdout.write('ready\n');
  for (;;) {
    const accepted = acceptSocket(listener);
    if (typeof accepted === 'number') continue;
    const fd = blocking(accepted.fd);
    while (libc.recv(fd, byteAddress, 1, 0) === 1) libc.send(fd, byteAddress, 1, 0x4000);
    libc.close(fd);
  }
}

function load(): number {
  const end = performance.now() + Number(secondsText) * 1000;
  const started = performance.now();
  const lasting = mode === 'ping-pong' ? connect() : -1;
  let count = 0;
  for (; performance.now() < end; count++) {
    const fd = lasting >= 0 ? lasting : connect();
    if (mode !== 'connect') exchange(fd);
    if (lasting < 0) libc.close(fd);
  }
  return (count / (performance.now() - started)) * 1000;
}

if (mode === 'serve') serve();
else process.stdout.write(`${Math.round(load())}\n`);
