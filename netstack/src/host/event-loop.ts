/**
 * The event loop of the network process: epoll through koffi, timers, nothing of libuv.
 *
 * Measured: a frame read through our own epoll costs 2 us (1400 B), through libuv's thread pool 17-34. The price:
 * {@link EventLoop.run} blocks the thread, so Node's own timers, promises, signal handlers and streams stand still while
 * it runs. Everything that such a process needs has to come in through a descriptor ({@link EventLoop.add}) or a timer.
 * Signals keep their default actions: SIGTERM ends the process.
 */
import { EPOLL, Epoll } from '../sys/epoll.ts';
import { Timer, TimerQueue } from '../stack/timer-queue.ts';

export { EPOLL } from '../sys/epoll.ts';

/** A descriptor in the loop. Close the watch before the descriptor. */
export class Watch {
  readonly fd: number;
  /** Distinguishes it from later owners of the same descriptor number. */
  readonly generation: number;
  readonly handler: (events: number) => void;
  readonly #loop: LoopTables;

  constructor(loop: LoopTables, fd: number, generation: number, handler: (events: number) => void) {
    this.#loop = loop;
    this.fd = fd;
    this.generation = generation;
    this.handler = handler;
  }

  /** Changes what is waited for: a mask of {@link EPOLL}. */
  modify(events: number): void {
    this.#loop.epoll.modify(this.fd, events, this.fd, this.generation);
  }

  /** Stops watching. The descriptor stays open. Repeating it does nothing. */
  close(): void {
    if (this.release()) this.#loop.epoll.delete(this.fd);
  }

  /**
   * As `close`, for a descriptor that is closed right after and has no duplicate: the kernel forgets it then by itself. Returns
   * whether it was watched.
   */
  release(): boolean {
    if (this.#loop.watches[this.fd] !== this) return false;
    this.#loop.watches[this.fd] = undefined;
    return true;
  }
}

/** What watches and their loop share. */
interface LoopTables {
  readonly epoll: Epoll;
  /** By descriptor. */
  readonly watches: (Watch | undefined)[];
}

export class EventLoop {
  /**
   * What to do with an exception of a callback. Undefined: it leaves {@link run}. A process that serves others sets it, so that one
   * bad request does not end the service of all.
   */
  onError: ((error: unknown) => void) | undefined;
  /** Timers of everything in this loop; its `now` is the time at which the loop woke. */
  readonly timers = new TimerQueue();
  readonly #tables: LoopTables = { epoll: new Epoll(), watches: [] };
  readonly #afterEvents: (() => void)[] = [];
  #deferred: (() => void)[] = [];
  #generation = 0;
  #running = false;

  constructor() {
    this.timers.now = performance.now();
  }

  /**
   * Calls `onReadable` whenever `fd` can be read (or hung up), level-triggered: it comes again until all is read.
   * For a control socket, a listening socket, a pidfd, a signalfd. The descriptor should be non-blocking.
   */
  add(fd: number, onReadable: (events: number) => void): Watch {
    return this.watch(fd, EPOLL.IN | EPOLL.RDHUP, onReadable);
  }

  /** As {@link add} for any mask of {@link EPOLL}, edge-triggered with `EPOLL.ET`. Throws Node-shaped errors (EEXIST, EPERM). */
  watch(fd: number, events: number, handler: (events: number) => void): Watch {
    const watch = new Watch(this.#tables, fd, ++this.#generation, handler);
    this.#tables.epoll.add(fd, events, fd, watch.generation);
    this.#tables.watches[fd] = watch;
    return watch;
  }

  /** Calls `callback` once, `delay` ms from now. The timer can be set again and cancelled. */
  schedule(delay: number, callback: () => void): Timer {
    const timer = new Timer(this.timers, callback);
    timer.set(delay);
    return timer;
  }

  /** Calls `callback` in the next round, after events that are there by then: how long jobs let others have their turn. */
  defer(callback: () => void): void {
    this.#deferred.push(callback);
  }

  /** Calls `callback` at the end of each round: where batched work (acknowledgements) goes out. */
  afterEvents(callback: () => void): void {
    this.#afterEvents.push(callback);
  }

  /** Serves until {@link stop} is called by one of the callbacks. */
  run(): void {
    this.#running = true;
    while (this.#running) this.runOnce(Infinity);
  }

  stop(): void {
    this.#running = false;
  }

  /** One round: waits at most `timeout` ms for something to do, and does it. */
  runOnce(timeout: number): void {
    const { epoll, watches } = this.#tables;
    const count = epoll.wait(this.#deferred.length > 0 ? 0 : this.#patience(timeout));
    this.timers.now = performance.now();
    for (let index = 0; index < count; index++) {
      const watch = watches[epoll.tag(index)];
      // A descriptor closed by an earlier handler of this round may already have a new owner.
      if (watch?.generation !== epoll.tagHigh(index)) continue;
      try {
        watch.handler(epoll.events(index));
      } catch (error) {
        this.#caught(error);
      }
    }
    if (this.#deferred.length > 0) {
      const jobs = this.#deferred;
      this.#deferred = [];
      for (const job of jobs) this.#call(job);
    }
    const now = performance.now();
    // A timer is gone from the queue before it is called, so going on after an exception makes progress.
    while (this.timers.nextDeadline <= now) this.#call(() => this.timers.advance(now));
    this.timers.now = now;
    for (const callback of this.#afterEvents) this.#call(callback);
  }

  #call(callback: () => void): void {
    try {
      callback();
    } catch (error) {
      this.#caught(error);
    }
  }

  #caught(error: unknown): void {
    if (!this.onError) throw error;
    this.onError(error);
  }

  #patience(timeout: number): number {
    const until = Math.min(timeout, this.timers.nextDeadline - performance.now());
    if (until === Infinity) return -1;
    return until <= 0 ? 0 : Math.min(Math.ceil(until), 0x7fffffff);
  }
}
