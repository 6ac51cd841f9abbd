/**
 * `exec`, on the client's side: makes the pipes or receives the terminal, and carries them to ours. The program's end
 * comes on a socket of our own, so an agent that dies meanwhile is not missed.
 */
import { closeSync, createWriteStream, openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import tty from 'node:tty';
import { DetachKeys } from '../../engine/detach-keys.ts';
import { commandFailure } from '../../engine/command-failure.ts';
import { EngineError } from '../../engine/engine-error.ts';
import type { ExecRequest } from '../../engine/requests.ts';
import { exitCodeOf } from '../../engine/running-container.ts';
import { RECORD, RECORD_KIND } from '../../monitor/plan-layout.ts';
import type { StatePaths } from '../../state/paths.ts';
import { receiveWithFds } from '../../sys/fd-passing.ts';
import { makePipe, makeSocketPair } from '../../sys/pipe.ts';
import { Poller } from '../../sys/poller.ts';
import { describeErrno } from '../../sys/system-error.ts';
import { setWindowSize } from '../../sys/window-size.ts';
import { askAgent } from '../client.ts';

export interface ExecIo {
  /** Absent: the program reads an empty stdin. */
  readonly stdin?: Readable;
  readonly stdout?: Writable;
  readonly stderr?: Writable;
  readonly detachKeys?: string;
}

/** Runs a program in a container; resolves with its exit code once its output is written, or when the user detaches. */
export async function execInteractively(
  paths: StatePaths,
  request: ExecRequest,
  io: ExecIo,
): Promise<number | 'detached'> {
  const [ours, theirs] = makeSocketPair();
  const session = request.tty ? new TerminalSession(io) : new PipeSession(io);
  try {
    await askAgent(paths, 'exec', request, [...session.theirs, theirs]);
  } catch (error) {
    closeSync(ours);
    session.close();
    throw error;
  } finally {
    for (const fd of [...session.theirs, theirs]) closeSync(fd);
  }
  const poller = new Poller();
  try {
    return await Promise.race([session.detached, awaitExit(poller, ours, session, request)]);
  } finally {
    poller.close();
    closeSync(ours);
    session.close();
  }
}

/** Starts a program in the background of a container. Throws where it cannot be executed. */
export async function execDetached(paths: StatePaths, request: ExecRequest): Promise<void> {
  const [ours, theirs] = makeSocketPair();
  const nothing = openSync('/dev/null', 'r+');
  try {
    await askAgent(paths, 'exec', request, [nothing, nothing, nothing, theirs]);
  } finally {
    closeSync(nothing);
    closeSync(theirs);
    closeSync(ours);
  }
}

interface Session {
  /** What the program gets as stdin, stdout and stderr. */
  readonly theirs: readonly number[];
  readonly detached: Promise<'detached'>;
  /** An fd that came on the status socket: the terminal. */
  receive(fd: number): void;
  /** Settles when all output has been written. */
  drained(): Promise<void>;
  close(): void;
}

/** Reads the status socket to its record of the program's end. */
async function awaitExit(poller: Poller, status: number, session: Session, request: ExecRequest): Promise<number> {
  let pending = Buffer.alloc(0);
  const record = await new Promise<Buffer>((resolve, reject) => {
    poller.watch(status, () => {
      const { data, fds } = receive(status);
      for (const fd of fds) session.receive(fd);
      // The byte that carries the terminal is no record.
      pending = Buffer.concat([pending, fds.length > 0 ? data.subarray(1) : data]);
      if (pending.length >= RECORD.size) {
        poller.unwatch(status);
        resolve(pending);
      } else if (data.length === 0) {
        poller.unwatch(status);
        reject(new EngineError('FAILED', 'Cannot tell how the program ended: its waiter was killed'));
      }
    });
  });
  const code = readRecord(record, request);
  await session.drained();
  return code;
}

/** A connection that was reset is as good as ended. */
function receive(status: number): { data: Buffer; fds: number[] } {
  try {
    return receiveWithFds(status, 64);
  } catch {
    return { data: Buffer.alloc(0), fds: [] };
  }
}

function readRecord(record: Buffer, { args }: ExecRequest): number {
  const value = Number(record.readBigInt64LE(RECORD.value));
  if (record.readUInt32LE(RECORD.kind) === RECORD_KIND.exit) return exitCodeOf(value);
  const [code, text] = describeErrno(value);
  throw commandFailure(args[0] ?? '', code, text, 'exec failed: unable to start container process: ');
}

class PipeSession implements Session {
  readonly theirs: readonly number[];
  readonly detached = new Promise<never>(() => undefined);
  readonly #stdin: Writable | undefined;
  readonly #outputs: Readable[] = [];
  readonly #drained: Promise<unknown>;

  constructor({ stdin, stdout, stderr }: ExecIo) {
    const [outRead, outWrite] = makePipe();
    const [errRead, errWrite] = makePipe();
    let inRead;
    if (stdin === undefined) {
      inRead = openSync('/dev/null', 'r');
    } else {
      const [read, write] = makePipe();
      inRead = read;
      this.#stdin = createWriteStream('', { fd: write });
      this.#stdin.on('error', () => undefined);
      stdin.pipe(this.#stdin);
    }
    this.theirs = [inRead, outWrite, errWrite];
    this.#drained = Promise.all([this.#carry(outRead, stdout), this.#carry(errRead, stderr)]);
  }

  receive(fd: number): void {
    closeSync(fd);
  }

  async drained(): Promise<void> {
    await this.#drained;
  }

  close(): void {
    this.#stdin?.destroy();
    for (const output of this.#outputs) output.destroy();
  }

  async #carry(from: number, to: Writable | undefined): Promise<void> {
    const stream = new Socket({ fd: from, writable: false });
    this.#outputs.push(stream);
    stream.on('data', (data) => {
      if (to?.write(data) === false) {
        stream.pause();
        to.once('drain', () => stream.resume());
      }
    });
    await finished(stream, { writable: false }).catch(() => undefined);
  }
}

class TerminalSession implements Session {
  readonly theirs: readonly number[];
  readonly detached: Promise<'detached'>;
  readonly #io: ExecIo;
  readonly #detach: () => void;
  readonly #keys: DetachKeys;
  #terminal: tty.ReadStream | undefined;
  #ended: Promise<unknown> = Promise.resolve();
  #resize: () => void = () => undefined;

  constructor(io: ExecIo) {
    const nothing = openSync('/dev/null', 'r+');
    this.theirs = [nothing, openSync('/dev/null', 'r+'), openSync('/dev/null', 'r+')];
    this.#io = io;
    this.#keys = new DetachKeys(io.detachKeys);
    const { promise, resolve } = Promise.withResolvers<'detached'>();
    this.detached = promise;
    this.#detach = () => resolve('detached');
  }

  receive(master: number): void {
    const terminal = new tty.ReadStream(master);
    this.#terminal = terminal;
    this.#resize = () => {
      if (process.stdout.isTTY) setWindowSize(master, process.stdout.rows, process.stdout.columns);
    };
    process.stdout.on('resize', this.#resize);
    this.#ended = new Promise((resolve) => {
      // A terminal whose last program has gone gives EIO.
      terminal.once('error', resolve);
      terminal.once('close', resolve);
      terminal.once('end', resolve);
    });
    terminal.on('data', (data) => {
      const { stdout } = this.#io;
      if (stdout?.write(data) !== false) return;
      terminal.pause();
      stdout.once('drain', () => terminal.resume());
    });
    this.#io.stdin?.on('data', (data: Buffer) => {
      const { pass, detached } = this.#keys.feed(data);
      if (pass.length > 0) terminal.write(pass);
      if (detached) this.#detach();
    });
  }

  async drained(): Promise<void> {
    await this.#ended;
  }

  close(): void {
    process.stdout.off('resize', this.#resize);
    this.#terminal?.destroy();
  }
}
