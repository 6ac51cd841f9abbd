/** Asking the agent, which is started where there is none. */
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { EngineError, type EngineErrorCode } from '../engine/engine-error.ts';
import type { RequestName, Requests } from '../engine/requests.ts';
import type { StatePaths } from '../state/paths.ts';
import { socketAddress } from '../state/socket-address.ts';
import { sendWithFds } from '../sys/fd-passing.ts';
import { errorCode } from '../base/error-code.ts';
import { agentBuild, lastingProcess } from '../base/install.ts';
import { connectUnix } from '../sys/unix-connect.ts';

/** How long a new agent may take to listen: it takes over every container first. */
const PATIENCE = 60_000;
const SEND_TIMEOUT = 10_000;
/** How often a request may meet an agent of another build: two versions used at once hand over to and fro. */
const HANDOVERS = 20;

/** The agent was killed before it answered. What it was asked may have been done or not. */
export class AgentGone extends Error {}

interface Message {
  readonly result?: unknown;
  readonly error?: { readonly code: EngineErrorCode; readonly message: string };
  readonly exitCode?: number;
  /** It was of another build than we are, and has started one of ours: ask that. */
  readonly handover?: boolean;
}

/** A request that has been answered; its connection stays for what follows. */
export interface Answer<Name extends RequestName> {
  readonly result: Requests[Name]['result'];
  /** The next message, as `{exitCode}` of a start with `wait`. Rejects with AgentGone, or with the engine's error. */
  next(): Promise<{ exitCode?: number }>;
  /** Lets go, and settles when the agent has done what waited for that: `--rm`. */
  close(): Promise<void>;
}

/** Sends a request and resolves with its result. Throws the engine's error, or AgentGone. */
export async function askAgent<Name extends RequestName>(
  paths: StatePaths,
  method: Name,
  params: Requests[Name]['params'],
  fds: readonly number[] = [],
): Promise<Requests[Name]['result']> {
  const answer = await openRequest(paths, method, params, fds);
  await answer.close();
  return answer.result;
}

/** As askAgent, for requests after whose result more comes. An agent of another build hands over to one of ours first. */
export async function openRequest<Name extends RequestName>(
  paths: StatePaths,
  method: Name,
  params: Requests[Name]['params'],
  fds: readonly number[] = [],
): Promise<Answer<Name>> {
  for (let patience = HANDOVERS; ; patience--) {
    const answer = await tryRequest(paths, method, params, fds);
    if (answer !== undefined) return answer;
    if (patience === 0)
      throw new EngineError('FAILED', 'The agent changes its build all the time: are two versions in use?');
  }
}

/** Undefined: the agent has handed over. */
async function tryRequest<Name extends RequestName>(
  paths: StatePaths,
  method: Name,
  params: Requests[Name]['params'],
  fds: readonly number[],
): Promise<Answer<Name> | undefined> {
  const fd = await connectAgent(paths);
  const from = { build: agentBuild(), command: lastingProcess('agent', paths.root) };
  const line = Buffer.from(`${JSON.stringify({ method, params, from })}\n`);
  try {
    sendAll(fd, line, fds);
  } catch (error) {
    closeSync(fd);
    if (errorCode(error) === 'EPIPE' || errorCode(error) === 'ECONNRESET')
      throw new AgentGone('The agent ended before it was asked');
    throw error;
  }
  const socket = new Socket({ fd });
  socket.on('error', () => undefined);
  const lines = readLines(socket);
  async function next(): Promise<Message> {
    try {
      const { value, done } = await lines.next();
      if (done !== true) return JSON.parse(value) as Message;
    } catch (error) {
      if (errorCode(error) !== 'ECONNRESET') throw error;
    }
    throw new AgentGone('The agent ended before it answered');
  }
  async function close(): Promise<void> {
    if (socket.closed) return;
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.end();
    await closed;
  }
  const { result, error, handover } = await next();
  if (handover === true) {
    await close();
    return undefined;
  }
  if (error !== undefined) {
    socket.destroy();
    throw new EngineError(error.code, error.message);
  }
  return {
    result: result as Requests[Name]['result'],
    async next() {
      const message = await next();
      if (message.error !== undefined) throw new EngineError(message.error.code, message.error.message);
      return message;
    },
    close,
  };
}

/** The lines of a stream, without their ends. */
async function* readLines(socket: Socket): AsyncGenerator<string, undefined> {
  let text = '';
  socket.setEncoding('utf8');
  for await (const piece of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<string>) {
    text += piece;
    for (let end; (end = text.indexOf('\n')) !== -1; text = text.slice(end + 1)) yield text.slice(0, end);
  }
  return undefined;
}

/** The fds go with the first piece. */
function sendAll(fd: number, line: Buffer, fds: readonly number[]): void {
  const piece = 1 << 16;
  for (let at = 0; at < line.length;) at += sendWithFds(fd, line.subarray(at, at + piece), at === 0 ? fds : []);
}

/** A connection to the agent. */
async function connectAgent(paths: StatePaths): Promise<number> {
  const deadline = performance.now() + PATIENCE;
  for (let pause = 2; ; pause = Math.min(2 * pause, 20)) {
    try {
      using address = socketAddress(join(paths.run, 'agent.sock'));
      return connectUnix(address.path, SEND_TIMEOUT);
    } catch (error) {
      if (!['ENOENT', 'ECONNREFUSED', 'EAGAIN'].includes(errorCode(error) ?? '')) throw error;
    }
    // Most commands find an agent and need nothing of what starts one.
    const { startAgent } = await import('./client/start-agent.ts');
    startAgent(paths);
    if (performance.now() > deadline) {
      throw new EngineError('FAILED', `The agent does not answer; see ${join(paths.run, 'agent.log')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
