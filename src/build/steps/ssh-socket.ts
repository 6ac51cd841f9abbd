/** `--mount=type=ssh`: an SSH agent's socket in the container, passed on to the user's agent or to one made for some keys. */
import { execFile, spawn } from 'node:child_process';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Holder } from '../../holder/holder.ts';
import { socketAddress } from '../../state/socket-address.ts';
import type { SshSource } from '../build-request.ts';
import { giveTo } from './give-to.ts';

const run = promisify(execFile);
let count = 0;

/** A socket in `folder` that passes every connection on. */
export async function openSshSocket(
  holder: Holder,
  folder: string,
  source: SshSource,
  { mode, uid, gid }: { readonly mode: number; readonly uid: number; readonly gid: number },
): Promise<{ readonly path: string } & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const target = source.kind === 'socket' ? source.path : await startAgent(folder, source.paths, stack);
  const path = join(folder, `ssh-${++count}`);
  const server: Server = createServer((client) => {
    const agent = connect(target);
    client.pipe(agent).pipe(client);
    for (const end of [client, agent]) {
      end.on('error', () => {
        client.destroy();
        agent.destroy();
      });
    }
  });
  const address = socketAddress(path);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(address.path, resolve);
  });
  address[Symbol.dispose]();
  stack.defer(() => void server.close());
  await giveTo(holder, path, uid, gid, mode);
  const moved = stack.move();
  return { path, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

/** An agent that knows these keys and nothing else. */
async function startAgent(folder: string, keys: readonly string[], stack: AsyncDisposableStack): Promise<string> {
  const path = join(folder, `agent-${++count}`);
  const agent = spawn('ssh-agent', ['-D', '-a', path], { stdio: ['ignore', 'pipe', 'ignore'] });
  stack.defer(() => void agent.kill());
  await new Promise<void>((resolve, reject) => {
    agent.once('error', () => reject(new Error('Cannot serve SSH keys: ssh-agent is not installed')));
    agent.stdout.once('data', () => resolve());
    agent.once('exit', () => reject(new Error('Cannot serve SSH keys: ssh-agent ended at once')));
  });
  for (const key of keys) {
    try {
      await run('ssh-add', [key], { env: { ...process.env, SSH_AUTH_SOCK: path } });
    } catch (error) {
      throw new Error(`Cannot serve the SSH key ${key}: ${((error as { stderr?: string }).stderr ?? '').trim()}`, {
        cause: error,
      });
    }
  }
  return path;
}
