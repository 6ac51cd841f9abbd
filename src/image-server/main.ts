/**
 * The image server: serves the FUSE mounts that `run/mounts.d` tells of, in the host's namespaces, as the plain user.
 * It keeps nothing that is not in those records, the images' indexes, or the keepers' hands: killed at any moment, the
 * next one takes over. Two instances run where needed: `images` for what is only read, `writable` for writable layers.
 *
 * argv: server name, run folder. Fd 3: the lock, held for life. Socket `<server>.sock`: "scan" has it look for new mounts and
 * changed quotas, "counters" has it tell what it has done, as JSON.
 */
import { closeSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { EventLoop } from 'fuse-overlay';
import { socketAddress } from '../state/socket-address.ts';
import { acceptUnix, listenUnix } from '../sys/unix-listener.ts';
import { errorCode } from '../base/error-code.ts';
import type { ServerName } from './mount-record.ts';
import { MountServer } from './mount-server.ts';

const MAX_REQUEST = 64;

const [server, run] = process.argv.slice(2) as [ServerName, string];
const loop = new EventLoop();
const mounts = new MountServer(loop, run, server, () => process.exit(0));
mounts.scan(true);

const answers: Readonly<Record<string, () => string>> = {
  scan,
  counters: () => JSON.stringify(mounts.counters()),
};

const address = socketAddress(join(run, `${server}.sock`));
const listener = listenUnix(address.path);
address[Symbol.dispose]();
loop.add(listener, acceptAll);
loop.run();

function acceptAll(): void {
  for (let client; (client = acceptUnix(listener)) !== undefined;) {
    const fd = client;
    loop.add(fd, () => serveClient(fd));
  }
}

/** The request fits in one read; a client that sends anything else is let go. */
function serveClient(fd: number): void {
  const request = Buffer.alloc(MAX_REQUEST);
  try {
    const length = readSync(fd, request);
    const answer = answers[request.toString('latin1', 0, length).trimEnd()]?.();
    // A few KB, far less than a new socket has room for.
    if (answer !== undefined) writeSync(fd, `${answer}\n`);
  } catch (error) {
    if (errorCode(error) === 'EAGAIN') return;
  }
  loop.remove(fd);
  closeSync(fd);
}

function scan(): string {
  try {
    mounts.scan(false);
    return 'ok';
  } catch (error) {
    return (error as Error).message.replaceAll('\n', ' ');
  }
}
