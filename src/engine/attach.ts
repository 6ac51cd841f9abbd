/**
 * A terminal's end of a running container: its output from the log's files, its input straight into its stdin or its
 * pseudo terminal, by an fd that its monitor hands over. No agent is in the way of either, so none is missed.
 */
import { closeSync, createWriteStream } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { StatePaths } from '../state/paths.ts';
import { setWindowSize } from '../sys/window-size.ts';
import type { Container } from './container.ts';
import { DetachKeys } from './detach-keys.ts';
import { followLog } from './follow-log.ts';
import { LogReader } from './log-reader.ts';
import { closeContainerStdin, isMonitorGone, type MonitorFds, takeMonitorFds } from './monitor-link.ts';

export interface AttachOptions {
  /** Absent: the container's stdin is left alone. */
  readonly stdin?: Readable;
  /** Absent: that stream is not wanted. */
  readonly stdout?: Writable;
  readonly stderr?: Writable;
  /** Position in the log's index to begin at; absent: what comes from now on. */
  readonly from?: number;
  /** As `--detach-keys`; default ctrl-p,ctrl-q. */
  readonly detachKeys?: string;
  /** Settles with the exit code when the container has ended and all of its output is in the log. */
  readonly ended: Promise<number>;
}

/** Resolves when the container has ended and its output is written, or when the user has typed the detach keys. */
export async function attachContainer(
  paths: StatePaths,
  container: Container,
  options: AttachOptions,
): Promise<number | 'detached'> {
  const { stdin, stdout, stderr, from, ended } = options;
  using log = LogReader.open(container.folder);
  if (log === undefined) throw new Error(`Cannot attach to ${container.config.name}: it has not been started`);
  log.seek(from ?? Number.MAX_SAFE_INTEGER);

  const detached = Promise.withResolvers<'detached'>();
  const input =
    stdin === undefined && container.config.request.options.tty !== true
      ? undefined
      : await openInput(paths, container);
  try {
    if (input !== undefined && stdin !== undefined) {
      pumpInput(stdin, input, new DetachKeys(options.detachKeys), () => detached.resolve('detached'));
    }
    const stop = new AbortController();
    const end = Promise.race([ended, detached.promise]).finally(() => stop.abort());
    end.catch(() => undefined); // thrown below, once the log has been followed to its end
    await followLog(container.folder, log, stop.signal, async ({ stream, data }) => {
      const to = stream === 'stdout' ? stdout : stderr;
      if (to?.write(data) === false) await room(to);
    });
    return await end;
  } finally {
    input?.release();
  }
}

/** Settles when there is room for more, or nobody reads any more. */
function room(to: Writable): Promise<void> {
  return new Promise((resolve) => {
    function settle(): void {
      to.off('drain', settle).off('close', settle);
      resolve();
    }
    if (to.destroyed) resolve();
    else to.once('drain', settle).once('close', settle);
  });
}

interface ContainerInput {
  /** Where it goes. What a container does not read has to wait where it comes from. */
  readonly stream: Writable;
  /** The user's input has ended. */
  end(): void;
  release(): void;
}

/** The container's stdin, or undefined where it has none open. Terminals follow the window of ours from here on. */
async function openInput(paths: StatePaths, { config }: Container): Promise<ContainerInput | undefined> {
  const { id, request } = config;
  const taken = takeFdsIfRunning(paths, id);
  if (taken === undefined) return undefined;
  const { connection, fds } = taken;
  closeSync(connection);
  const terminal = request.options.tty === true;
  const [first, second, third] = fds;
  const unwanted = terminal ? [second, third] : [first, second];
  for (const fd of unwanted) if (fd !== undefined) closeSync(fd);
  if (terminal) return terminalInput(first!);
  return third === undefined ? undefined : pipeInput(third, () => closeContainerStdin(paths, id));
}

/** Undefined where the container has ended before we came: there is output to read, and nobody to write to. */
function takeFdsIfRunning(paths: StatePaths, id: string): MonitorFds | undefined {
  try {
    return takeMonitorFds(paths, id, 'client');
  } catch (error) {
    if (isMonitorGone(error)) return undefined;
    throw error;
  }
}

async function terminalInput(master: number): Promise<ContainerInput> {
  const { ReadStream } = await import('node:tty');
  const stream = new ReadStream(master);
  stream.on('error', () => undefined);
  function resize(): void {
    if (process.stdout.isTTY) setWindowSize(master, process.stdout.rows, process.stdout.columns);
  }
  // A size that is another one for a moment has programs draw themselves again, for whoever has just come.
  if (process.stdout.isTTY) setWindowSize(master, process.stdout.rows + 1, process.stdout.columns);
  resize();
  process.stdout.on('resize', resize);
  return {
    stream,
    end: () => void stream.write(Buffer.from([4])), // ^D, as a terminal's user would say it
    release() {
      process.stdout.off('resize', resize);
      stream.destroy();
    },
  };
}

function pipeInput(fd: number, closeStdin: () => void): ContainerInput {
  // Writes run on a thread: a container that does not read must not hold us up.
  const stream = createWriteStream('', { fd });
  stream.on('error', () => undefined);
  return {
    stream,
    end() {
      stream.end();
      finished(stream)
        .catch(() => undefined)
        .then(closeStdin)
        .catch(() => undefined); // it has ended meanwhile
    },
    release: () => void stream.destroy(),
  };
}

function pumpInput(stdin: Readable, input: ContainerInput, keys: DetachKeys, detach: () => void): void {
  const raw = stdin === process.stdin && process.stdin.isTTY;
  stdin.on('data', (data: Buffer) => {
    const { pass, detached } = raw ? keys.feed(data) : { pass: data, detached: false };
    if (pass.length > 0 && !input.stream.write(pass) && !raw) {
      stdin.pause();
      void room(input.stream).then(() => stdin.resume());
    }
    if (detached) detach();
  });
  stdin.on('end', () => input.end());
}
