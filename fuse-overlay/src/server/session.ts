/**
 * A session serves one mount: reads requests from its transport, has the file system answer them, replies.
 *
 * A session never fails because of a request: a malformed one is answered with EINVAL (or dropped and counted where not even
 * its header can be trusted), an unknown one with ENOSYS, and whatever a file system throws becomes an errno.
 *
 * Taking over: when a server dies but somebody keeps the descriptor, a new session with `takeover` asks the kernel to
 * send again what the dead server had read and not answered (FUSE_NOTIFY_RESEND, Linux 6.9), and goes on. No INIT comes then;
 * the features are taken to be those that the file system asks for, since every kernel with RESEND has them.
 */
import { notifyCodes } from '../protocol/flags.ts';
import { opcodeLimit, opcodes, opcodeName, type OpcodeName } from '../protocol/opcodes.ts';
import { errno, errorCode } from '../sys/errors.ts';
import { preadFully } from '../sys/io.ts';
import type { Transport } from '../transport/transport.ts';
import { Counters } from './counters.ts';
import { Exchange, inputSize } from './exchange.ts';
import { NOT_YET, type FileSystem } from './file-system.ts';
import { negotiate, wantedFeatures } from './init.ts';
import { Notifier } from './notifier.ts';
import { handlers, type Handler } from './operations/table.ts';
import { describeRequest, type TraceRecord } from './trace.ts';

export interface ServeOptions {
  /** The descriptor was served before, by a server that died. */
  readonly takeover?: boolean;
  /** Called after each request (a debugging aid; costs time). */
  readonly trace?: (record: TraceRecord) => void;
  /** Takes one line about something that should not happen; default: standard error. */
  readonly log?: (line: string) => void;
  /** The mount is gone and the session closed. */
  readonly onClose?: () => void;
}

/** By number: handler, and the fewest bytes of a body. */
const byNumber: { handler: Handler | undefined; minimum: number; reply: boolean; fixed: number }[] = [];
for (let number = 0; number < opcodeLimit; number++) {
  byNumber.push({ handler: undefined, minimum: 0, reply: true, fixed: 0 });
}
for (const name of Object.keys(opcodes) as OpcodeName[]) {
  const opcode: { number: number; request?: { size: number }; optional?: number; noReply?: true } = opcodes[name];
  const fixed = opcode.request?.size ?? 0;
  const minimum = fixed - (opcode.optional ?? 0);
  byNumber[opcode.number] = { handler: handlers[name], minimum, reply: !opcode.noReply, fixed };
}

const INIT = opcodes.INIT.number;
const DESTROY = opcodes.DESTROY.number;
const READ = opcodes.READ.number;

/** From how many bytes on the copy that a splice saves costs more than the system calls that it takes. */
const spliceFrom = 32 * 1024;

interface Parked {
  readonly message: Buffer;
  readonly attempt: number;
  /** When it came. */
  readonly since: number;
}

/** Requests with data are not parked: nothing that waits is to hold much memory. */
const parkedLimit = 512;

/** Sessions of a process are served one request at a time, so they share the message buffers. */
let shared: Exchange | undefined;

export class Session {
  readonly fs: FileSystem;
  readonly counters: Counters = new Counters();
  readonly notify: Notifier;
  readonly #transport: Transport;
  readonly #exchange: Exchange;
  readonly #options: ServeOptions;
  readonly #parked: Parked[] = [];
  #detach: (() => void) | undefined;
  #closed = false;
  #initialised = false;
  #extendedSetxattr = false;

  constructor(transport: Transport, fs: FileSystem, options: ServeOptions = {}) {
    this.fs = fs;
    this.#transport = transport;
    this.#options = options;
    this.#exchange = shared ??= new Exchange();
    this.notify = new Notifier(transport, this.#exchange);
    if (options.takeover) this.#takeOver();
  }

  get fd(): number {
    return this.#transport.fd;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Serves up to `limit` waiting requests; returns how many there were. Closes the session when the mount is gone. */
  poll(limit: number): number {
    for (let served = 0; served < limit; served++) {
      if (this.#closed) return served;
      const length = this.#transport.receive(this.#exchange.inputAddress, inputSize);
      if (length >= 0) {
        this.handle(length);
        continue;
      }
      if (length === -errno.EAGAIN) return served;
      // ENOENT: the asking process was killed before the request was read. Anything else is the end of the mount.
      if (length === -errno.EINTR || length === -errno.ENOENT) continue;
      if (length !== -errno.ENODEV) this.#log(`Cannot read from /dev/fuse: ${errorCode(length)}`);
      this.close();
      return served;
    }
    return limit;
  }

  /** Number of requests that wait for something the file system has started (NOT_YET). */
  get parked(): number {
    return this.#parked.length;
  }

  /** Asks the file system again for the answers of the parked requests. */
  retry(): void {
    for (const parked of this.#parked.splice(0)) {
      if (this.#closed) return;
      this.handle(this.#exchange.load(parked.message), parked.attempt + 1, parked.since);
    }
  }

  /** Lets the file system do a piece of its own work; true when there is more. */
  background(): boolean {
    if (this.#closed || !this.fs.background) return false;
    try {
      return this.fs.background();
    } catch (error) {
      this.#log(`The file system's own work failed: ${describeError(error)}`);
      return false;
    }
  }

  /** `detach` is called just before the descriptor is closed. */
  attach(detach: () => void): void {
    this.#detach = detach;
  }

  /** Answers the request of `length` bytes that lies in the exchange; `attempt` counts the times it was parked. */
  handle(length: number, attempt = 0, began: number = performance.now()): void {
    const x = this.#exchange;
    if (!x.begin(length)) {
      this.counters.malformed++;
      this.#log(`Dropped a malformed request of ${length} bytes`);
      return;
    }
    x.extendedSetxattr = this.#extendedSetxattr;
    x.attempt = attempt;
    const { opcode } = x;
    const known = opcode < opcodeLimit ? byNumber[opcode] : undefined;
    let result = this.#dispatch(known, opcode);
    if (result === NOT_YET) {
      if (length <= parkedLimit) {
        this.#parked.push({ message: x.copyRequest(length), attempt, since: began });
        return;
      }
      result = -errno.EIO;
    }
    if (known?.reply !== false) this.#reply(result);
    const microseconds = (performance.now() - began) * 1000;
    this.counters.count(opcode, result < 0, microseconds);
    if (this.#options.trace) this.#options.trace(describeRequest(x, result, microseconds));
    if (opcode === DESTROY) this.close();
  }

  /** Ends the session; a mount that still exists gives ENOTCONN from now on, unless another process has the descriptor. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#detach?.();
    this.#transport.close();
    try {
      this.fs.destroy?.();
    } catch (error) {
      this.#log(`The file system failed to end: ${describeError(error)}`);
    }
    this.#options.onClose?.();
  }

  #dispatch(known: (typeof byNumber)[number] | undefined, opcode: number): number {
    const x = this.#exchange;
    if (known === undefined) return -errno.ENOSYS;
    if (x.bodyLength < known.minimum) {
      this.counters.malformed++;
      return -errno.EINVAL;
    }
    x.skip(known.fixed);
    try {
      if (known.handler) return known.handler(this.fs, x);
      if (opcode === INIT) return this.#init();
      return opcode === DESTROY ? 0 : -errno.ENOSYS;
    } catch (error) {
      return this.#errnoOf(error, opcode);
    }
  }

  #init(): number {
    // A mount whose server died before it was initialised is taken over with its INIT still to come.
    if (this.#initialised && !this.#options.takeover) return -errno.EINVAL;
    const negotiation = negotiate(this.fs, this.#exchange);
    if (negotiation.kind === 'refused') {
      this.#log(`Cannot serve the mount: ${negotiation.problem}`);
      return negotiation.error;
    }
    if (negotiation.kind === 'ready') this.#ready(negotiation.features);
    return negotiation.payload;
  }

  #ready(features: ReadonlySet<string>): void {
    this.#initialised = true;
    this.#extendedSetxattr = features.has('SETXATTR_EXT');
    this.fs.init?.(features, this.notify);
  }

  #takeOver(): void {
    this.#ready(wantedFeatures(this.fs));
    const result = this.notify.send(notifyCodes.RESEND, 0);
    if (result < 0) {
      this.#log(
        `The kernel does not send requests in flight again (${errorCode(result)}, Linux 6.9 can): ` +
          'programs that waited for an answer of the dead server wait on until they are interrupted',
      );
    }
  }

  #reply(result: number): void {
    const x = this.#exchange;
    const sent = x.opcode === READ && x.room.fileFd >= 0 ? this.#sendFile(result) : this.#send(result);
    // ENOENT: nobody waits for this reply any more.
    if (sent >= 0 || sent === -errno.ENOENT) return;
    this.#log(`The kernel did not take the reply to ${opcodeName(x.opcode) ?? x.opcode}: ${errorCode(sent)}`);
    this.#send(-errno.EIO);
  }

  #send(result: number): number {
    return this.#transport.send(this.#exchange.outputAddress, this.#exchange.finish(result));
  }

  /** The reply to a READ that is part of a file. */
  #sendFile(length: number): number {
    const x = this.#exchange;
    const { fileFd, fileOffset } = x.room;
    if (length < spliceFrom || length > x.room.length) return this.#copyFile(length);
    const headerLength = x.finish(length) - length;
    const sent = this.#transport.sendFile?.(x.outputAddress, headerLength, fileFd, fileOffset, length);
    return sent ?? this.#copyFile(length);
  }

  #copyFile(length: number): number {
    const { fileFd, fileOffset, address, length: room } = this.#exchange.room;
    return this.#send(length > 0 ? preadFully(fileFd, address, Math.min(length, room), fileOffset) : length);
  }

  #errnoOf(error: unknown, opcode: number): number {
    if (error instanceof Error && 'errno' in error && typeof error.errno === 'number' && error.errno !== 0) {
      return -Math.abs(error.errno);
    }
    this.counters.crashes++;
    this.#log(`${opcodeName(opcode) ?? opcode} failed unexpectedly: ${describeError(error)}`);
    return -errno.EIO;
  }

  #log(line: string): void {
    if (this.#options.log) this.#options.log(line);
    else process.stderr.write(`fuse-overlay: ${line}\n`);
  }
}

function describeError(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
