/**
 * Timers on a binary heap, for owners that re-arm far more often than they fire.
 *
 * TCP pushes its retransmission timer ahead with each ACK. So arming a timer later than it already stands in the heap
 * only notes the new deadline; the entry is moved when its old place comes up. The queue has no clock: whoever owns it
 * says what time it is (milliseconds, monotonic, fractions allowed).
 */
export class TimerQueue {
  /** The current time in ms, as of the last {@link advance}. */
  now = 0;
  readonly #heap: Timer[] = [];

  /** When {@link advance} has work to do next; Infinity: never. May be earlier than any deadline, never later. */
  get nextDeadline(): number {
    return this.#heap[0]?.key ?? Infinity;
  }

  /** Moves time forward and runs what is due. */
  advance(now: number): void {
    this.now = now;
    for (let first = this.#heap[0]; first !== undefined && first.key <= now; first = this.#heap[0]) {
      if (first.deadline === Infinity) this.remove(first);
      else if (first.deadline > first.key) {
        first.key = first.deadline;
        this.#down(first, 0);
      } else {
        this.remove(first);
        first.deadline = Infinity;
        first.callback();
      }
    }
  }

  /** Used by {@link Timer}. */
  place(timer: Timer): void {
    if (timer.index < 0) {
      timer.key = timer.deadline;
      this.#heap.push(timer);
      this.#up(timer, this.#heap.length - 1);
    } else if (timer.deadline < timer.key) {
      timer.key = timer.deadline;
      this.#up(timer, timer.index);
    }
  }

  /** Used by {@link Timer}. */
  remove(timer: Timer): void {
    const hole = timer.index;
    if (hole < 0) return;
    timer.index = -1;
    const last = this.#heap.pop()!;
    if (last === timer) return;
    this.#up(last, hole);
    this.#down(last, last.index);
  }

  #up(timer: Timer, from: number): void {
    let index = from;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = this.#heap[above]!;
      if (parent.key <= timer.key) break;
      this.#heap[index] = parent;
      parent.index = index;
      index = above;
    }
    this.#heap[index] = timer;
    timer.index = index;
  }

  #down(timer: Timer, from: number): void {
    const heap = this.#heap;
    let index = from;
    for (;;) {
      let below = 2 * index + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && heap[below + 1]!.key < heap[below]!.key) below++;
      const child = heap[below]!;
      if (child.key >= timer.key) break;
      heap[index] = child;
      child.index = index;
      index = below;
    }
    heap[index] = timer;
    timer.index = index;
  }
}

/** One callback that can be armed, re-armed and cancelled; fires once for each time it was armed. */
export class Timer {
  deadline = Infinity;
  /** Place in the heap and the time it was sorted by; the queue's own. */
  index = -1;
  key = Infinity;
  readonly callback: () => void;
  readonly #queue: TimerQueue;

  constructor(queue: TimerQueue, callback: () => void) {
    this.#queue = queue;
    this.callback = callback;
  }

  get armed(): boolean {
    return this.deadline !== Infinity;
  }

  /** Fires in `delay` ms, instead of whenever it was due before. */
  set(delay: number): void {
    this.deadline = this.#queue.now + delay;
    this.#queue.place(this);
  }

  /** Leaves the heap entry behind: cheap, for a timer that is armed again soon. */
  cancel(): void {
    this.deadline = Infinity;
  }

  /** Cancels and lets go of the owner's memory at once. */
  dispose(): void {
    this.deadline = Infinity;
    this.#queue.remove(this);
  }
}
