/**
 * One thread that serves many mounts and whatever else has a descriptor.
 *
 * A process that asks a FUSE server sleeps until the reply wakes it, often on another CPU, and the server sleeps until the
 * next request wakes it: on idle CPUs the two wake-ups cost several times what serving costs (43-93 us a round trip against
 * 12-18 us without). So after a request the loop stays awake for a short while and looks for the next one. It does that only
 * while it pays: the usual gap between requests is kept as a moving average, and when that is longer than a
 * wake-up costs, the loop sleeps at once. On busy CPUs staying awake is worse than useless: the asking process may wait for the
 * very CPU that the loop keeps. That shows in a request that does not come while the loop is awake; then it sleeps at once, too,
 * but for a try every so often.
 */
import { Epoll, EPOLLIN, createEventFd } from '../sys/epoll.ts';
import { checked } from '../sys/errors.ts';
import { close } from '../sys/files.ts';
import { readFd, writeFd } from '../sys/io.ts';
import { allocate } from '../sys/memory.ts';
import type { Session } from './session.ts';

/** Longest stay awake, and the largest usual gap for which it is tried, in milliseconds. */
const longestSpin = 0.06;
const worthwhileGap = 0.1;
/** The part of stays awake that must have brought a request for the next one; and every how many sleeps it is tried anyway. */
const worthwhileLuck = 0.75;
const tryEvery = 64;
/** A longer gap counts as this long, so that one pause is forgotten after some quick requests. */
const longestGap = 0.4;
/** What a fast disk takes to read, in milliseconds: for so long parked requests are tried without a pause. */
const quickDisk = 0.3;
/** Requests served in a row for one session before others get their turn. */
const turn = 64;

type Watcher = (events: number) => void;

export class EventLoop {
  readonly #epoll = new Epoll();
  readonly #watchers = new Map<number, Watcher>();
  /** The session served last: the one to stay awake for. */
  #recent: Session | undefined;
  /** Sessions with requests that wait for a disk, and when the last one was added. */
  readonly #parked = new Set<Session>();
  #parkedSince = 0;
  /** Sessions whose file systems have work of their own. */
  readonly #working = new Set<Session>();
  #usualGap = longestGap;
  /** Moving average: 1 where each stay awake brought a request. */
  #luck = 1;
  #sleeps = 0;
  #stopped = false;
  readonly #wakeFd: number;
  readonly #word = allocate(8);

  constructor() {
    this.#wakeFd = checked(createEventFd(), 'eventfd', 'create a wake-up descriptor');
    this.add(this.#wakeFd, () => void readFd(this.#wakeFd, this.#word.address, 8));
  }

  /** Calls `onReady` with EPOLL* bits whenever `fd` is ready (level-triggered). `fd` stays the caller's. */
  add(fd: number, onReady: Watcher, events: number = EPOLLIN): void {
    checked(this.#epoll.add(fd, events), 'epoll_ctl', `watch descriptor ${fd}`);
    this.#watchers.set(fd, onReady);
  }

  /** Watches for other events from now on. */
  modify(fd: number, events: number): void {
    checked(this.#epoll.modify(fd, events), 'epoll_ctl', `watch descriptor ${fd}`);
  }

  /** Stops watching. Before `fd` is closed. */
  remove(fd: number): void {
    this.#watchers.delete(fd);
    this.#epoll.remove(fd);
  }

  /** Serves a session until it closes. */
  addSession(session: Session): void {
    const { fd } = session;
    this.add(fd, () => {
      this.#recent = session;
      this.#poll(session);
    });
    // Before the descriptor is closed: epoll goes on watching a file that another process has open, too.
    session.attach(() => {
      this.remove(fd);
      this.#parked.delete(session);
      this.#working.delete(session);
      if (this.#recent === session) this.#recent = undefined;
    });
    this.#working.add(session);
  }

  /** Runs until `stop`. Blocks the thread: timers and promises of Node do not run meanwhile. */
  run(): void {
    this.#stopped = false;
    while (!this.#isStopped()) {
      this.#spin();
      const timeout = this.#pause();
      const slept = performance.now();
      const ready = this.#epoll.wait(timeout);
      this.#noteGap(performance.now() - slept);
      this.#serve(ready);
    }
  }

  /** As `run`, but shares the thread: waits on a thread of Node's pool. Some 30 us slower for each request after a pause. */
  async runShared(): Promise<void> {
    this.#stopped = false;
    while (!this.#isStopped()) {
      this.#spin();
      const timeout = this.#pause();
      const slept = performance.now();
      const ready = await this.#epoll.waitAsync(timeout);
      this.#noteGap(performance.now() - slept);
      this.#serve(ready);
    }
  }

  /** Makes `run` return after the turn at hand. */
  stop(): void {
    this.#stopped = true;
    this.#word.buffer.writeBigUInt64LE(1n);
    writeFd(this.#wakeFd, this.#word.address, 8);
  }

  /** Closes the loop's own descriptors; call after `run` has returned. */
  close(): void {
    close(this.#wakeFd);
    this.#epoll.close();
  }

  #isStopped(): boolean {
    return this.#stopped;
  }

  #serve(ready: number): void {
    // A watcher may remove others: what is gone from the map is not called any more.
    for (let index = 0; index < ready; index++) {
      this.#watchers.get(this.#epoll.readyFd(index))?.(this.#epoll.readyEvents(index));
    }
  }

  #poll(session: Session): number {
    const before = session.parked;
    const count = session.poll(turn);
    if (session.parked > before) {
      this.#parked.add(session);
      this.#parkedSince = performance.now();
    }
    return count;
  }

  /** What there is to do when no request waits; returns how long to wait for the next one. */
  #pause(): number {
    const timeout = this.#retry();
    for (const session of this.#working) {
      if (!session.background()) this.#working.delete(session);
    }
    return this.#working.size > 0 ? 0 : timeout;
  }

  /** Tries parked requests again; returns how long to wait before the next try, -1 when there are none. */
  #retry(): number {
    for (const session of this.#parked) {
      session.retry();
      if (session.parked === 0) this.#parked.delete(session);
    }
    if (this.#parked.size === 0) return -1;
    return performance.now() - this.#parkedSince < quickDisk ? 0 : 1;
  }

  /** Stays awake for the recent session while that pays. */
  #spin(): void {
    if (this.#usualGap > worthwhileGap) return;
    if (this.#luck < worthwhileLuck && ++this.#sleeps % tryEvery !== 0) return;
    let since = performance.now();
    let served = 0;
    for (;;) {
      const session = this.#recent;
      if (session === undefined || this.#stopped || this.#parked.size > 0) return;
      const count = this.#poll(session);
      const now = performance.now();
      if (count > 0) {
        this.#noteGap(now - since);
        this.#luck += (1 - this.#luck) / 8;
        since = now;
        served += count;
        // Others may be waiting; they get a look every so often.
        if (served >= turn) {
          served = 0;
          this.#serve(this.#epoll.wait(0));
        }
      } else if (now - since > longestSpin) {
        this.#luck -= this.#luck / 8;
        return;
      }
    }
  }

  #noteGap(gap: number): void {
    this.#usualGap += (Math.min(gap, longestGap) - this.#usualGap) / 8;
  }
}
