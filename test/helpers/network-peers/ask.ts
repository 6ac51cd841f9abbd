/** `ask.ts http2|websocket HOST PORT`, on the host or in a container: a client of serve.ts. Prints what it has found to be right. */
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:http2';

const STREAMS = 20;
const BODY = 100_000;
/** One for each form of a frame's length. */
const MESSAGES = [1, 200, 70_000];

async function askHttp2(host: string, port: string): Promise<string> {
  const session = connect(`http://${host}:${port}`);
  const right = await Promise.all(
    Array.from({ length: STREAMS }, async () => {
      const body = randomBytes(BODY);
      const stream = session.request({ ':method': 'POST', ':path': '/' });
      stream.setEncoding('utf8');
      stream.end(body);
      let answer = '';
      for await (const text of stream) answer += String(text);
      return answer === createHash('sha256').update(body).digest('hex');
    }),
  );
  session.close();
  return `${right.filter(Boolean).length} streams`;
}

async function askWebSocket(host: string, port: string): Promise<string> {
  const socket = new WebSocket(`ws://${host}:${port}/`);
  socket.binaryType = 'arraybuffer';
  await once(socket, 'open');
  let right = 0;
  for (const size of MESSAGES) {
    const message = randomBytes(size);
    socket.send(message);
    const [event] = (await once(socket, 'message')) as [{ data: ArrayBuffer }];
    if (message.equals(Buffer.from(event.data))) right++;
  }
  socket.close(1000);
  const [closed] = (await once(socket, 'close')) as [{ code: number }];
  return `${right} messages, closed with ${closed.code}`;
}

const [kind, host, port] = process.argv.slice(2) as [string, string, string];
console.log(await (kind === 'http2' ? askHttp2(host, port) : askWebSocket(host, port)));
