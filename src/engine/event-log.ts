/**
 * What has happened, for `events`: a line of JSON for each, in a file that every process of the user's appends to and that
 * is no agent's to lose. It is bounded: at LIMIT it becomes the one before, and that is forgotten.
 */
import { closeSync, fstatSync, openSync, readSync, renameSync, statSync, watch, writeSync } from 'node:fs';
import { join } from 'node:path';
import { tryLock } from '../state/lock.ts';
import type { StatePaths } from '../state/paths.ts';

export type EventType = 'container' | 'image' | 'volume' | 'network' | 'daemon';

/** In the shape of Docker's `GET /events`. */
export interface EngineEvent {
  /** Of containers: the action and id again, and the image, as old clients want them. */
  readonly status?: string;
  readonly id?: string;
  readonly from?: string;
  readonly Type: EventType;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: 'local';
  /** Seconds and nanoseconds since 1970. */
  readonly time: number;
  readonly timeNano: number;
}

type Place = Pick<StatePaths, 'root'>;

const LIMIT = 1 << 20;
const NAME = 'events.log';

/** Appends an event. What cannot be written (a full disk) is lost: nothing waits for it. */
export function recordEvent(
  { root }: Place,
  type: EventType,
  action: string,
  id: string,
  attributes: Readonly<Record<string, string>> = {},
): void {
  const now = Date.now();
  const event: EngineEvent = {
    ...(type === 'container' ? { status: action, id, from: attributes['image'] ?? '' } : {}),
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: attributes },
    scope: 'local',
    time: Math.floor(now / 1000),
    timeNano: now * 1e6,
  };
  try {
    append(join(root, NAME), Buffer.from(`${JSON.stringify(event)}\n`));
  } catch {
    // As documented.
  }
}

/** One write(2) with O_APPEND, so that lines of several processes do not mix. */
function append(path: string, line: Buffer): void {
  const fd = openSync(path, 'a', 0o600);
  try {
    writeSync(fd, line);
    if (fstatSync(fd).size > LIMIT) turnOver(path, fstatSync(fd).ino);
  } finally {
    closeSync(fd);
  }
}

/** Of several processes that find the file full, one renames it. */
function turnOver(path: string, inode: number): void {
  using lock = tryLock(`${path}.lock`);
  if (lock !== undefined && statSync(path, { throwIfNoEntry: false })?.ino === inode) renameSync(path, `${path}.1`);
}

export interface EventSpan {
  /** Milliseconds since 1970, the bounds included; absent: from now on, and for ever. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
}

/** Hands over what has happened since, and goes on with what happens, until the time is over or `stop` fires. */
export async function followEvents(
  { root }: Place,
  { since, until }: EventSpan,
  stop: AbortSignal,
  take: (event: EngineEvent) => void,
): Promise<void> {
  const path = join(root, NAME);
  function pass(event: EngineEvent): void {
    const time = event.timeNano / 1e6;
    if ((since === undefined || time >= since) && (until === undefined || time <= until)) take(event);
  }
  using current = new EventFile(path);
  if (since === undefined) {
    current.skip();
  } else {
    using before = new EventFile(`${path}.1`);
    for (const event of before.read()) pass(event);
  }
  let wake = Promise.withResolvers<void>();
  const watcher = watchOrNot(root, () => wake.resolve());
  const poll = setInterval(() => wake.resolve(), watcher === undefined ? 100 : 1000);
  stop.addEventListener('abort', () => wake.resolve());
  try {
    for (;;) {
      wake = Promise.withResolvers<void>();
      const left = until === undefined ? Infinity : until - Date.now();
      const isLast = stop.aborted || left <= 0;
      for (const event of current.read()) pass(event);
      if (isLast) return;
      const timer = left < 1000 ? setTimeout(() => wake.resolve(), left) : undefined;
      await wake.promise;
      clearTimeout(timer);
    }
  } finally {
    watcher?.close();
    clearInterval(poll);
  }
}

function watchOrNot(folder: string, awaken: () => void) {
  try {
    const watcher = watch(folder, (_kind, name) => {
      if (name === NAME) awaken();
    });
    return watcher.on('error', () => undefined);
  } catch {
    return undefined;
  }
}

/** Reads the lines of an event file as they come, and goes on with the file that takes its place. */
class EventFile implements Disposable {
  readonly #path: string;
  #fd: number | undefined;
  #offset = 0;
  #rest = '';

  constructor(path: string) {
    this.#path = path;
    this.#fd = this.#open();
  }

  /** Leaves out what is there. */
  skip(): void {
    if (this.#fd !== undefined) this.#offset = fstatSync(this.#fd).size;
  }

  *read(): Generator<EngineEvent> {
    const fd = (this.#fd ??= this.#open());
    if (fd === undefined) return;
    const isReplaced = statSync(this.#path, { throwIfNoEntry: false })?.ino !== fstatSync(fd).ino;
    yield* this.#readOpen(fd);
    if (!isReplaced) return;
    this[Symbol.dispose]();
    const next = (this.#fd = this.#open());
    if (next !== undefined) yield* this.#readOpen(next);
  }

  *#readOpen(fd: number): Generator<EngineEvent> {
    const block = Buffer.alloc(1 << 16);
    for (let size; (size = readSync(fd, block, 0, block.length, this.#offset)) > 0;) {
      this.#offset += size;
      // Lines are ASCII or UTF-8; latin1 keeps bytes that a block parts together until the line is whole.
      const lines = (this.#rest + block.toString('latin1', 0, size)).split('\n');
      this.#rest = lines.pop()!;
      for (const line of lines) {
        const event = parseEvent(Buffer.from(line, 'latin1').toString('utf8'));
        if (event !== undefined) yield event;
      }
    }
  }

  #open(): number | undefined {
    this.#offset = 0;
    this.#rest = '';
    try {
      return openSync(this.#path, 'r');
    } catch {
      return undefined;
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

/** A line that a full disk has cut off is none. */
function parseEvent(line: string): EngineEvent | undefined {
  try {
    return JSON.parse(line) as EngineEvent;
  } catch {
    return undefined;
  }
}
