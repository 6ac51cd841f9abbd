/**
 * What a build tells while it goes: steps that begin, print and end. The displays (plain.ts, live.ts, raw-json.ts) show the
 * same events in their own way.
 */

export interface StepEvents {
  readonly id: number;
  readonly name: string;
  begin(): void;
  /** Output of a program, as it comes. */
  output(stream: 1 | 2, data: Buffer): void;
  /** A line about what is being done: `transferring context: 1.2kB`. */
  note(text: string): void;
  cached(): void;
  done(): void;
  fail(message: string): void;
  cancel(): void;
}

export type ProgressEvent =
  | { readonly kind: 'begin' }
  | { readonly kind: 'output'; readonly stream: 1 | 2; readonly data: Buffer }
  | { readonly kind: 'note'; readonly text: string }
  | { readonly kind: 'cached' | 'done' | 'cancelled' }
  | { readonly kind: 'failed'; readonly message: string };

/** A step as displays know it. */
export interface ShownStep {
  readonly id: number;
  readonly name: string;
  /** performance.now() of its begin. */
  readonly began: number;
}

export interface Display {
  show(step: ShownStep, event: ProgressEvent): void;
  /** A warning of the build checks, or anything else that belongs to no step. */
  warn(text: string): void;
  end(): void;
}

/** Lines of output that are kept for the report of a failure. */
const KEPT_LINES = 30;

export class Progress {
  readonly #display: Display;
  #count = 0;
  /** Of the step that failed first. */
  failed: { readonly name: string; readonly lines: readonly string[] } | undefined;

  constructor(display: Display) {
    this.#display = display;
  }

  step(name: string): StepEvents {
    const display = this.#display;
    let step: ShownStep | undefined;
    const lines = new LastLines();
    const pending = new Map<1 | 2, Buffer>();
    const begin = (): ShownStep => {
      if (step !== undefined) return step;
      step = { id: ++this.#count, name, began: performance.now() };
      display.show(step, { kind: 'begin' });
      return step;
    };
    function tell(event: ProgressEvent): void {
      display.show(begin(), event);
    }
    return {
      get id() {
        return begin().id;
      },
      name,
      begin: () => void begin(),
      output: (stream, data) => {
        // A character that a read has cut in two waits for its other half.
        const all = Buffer.concat([pending.get(stream) ?? Buffer.alloc(0), data]);
        const end = wholeCharacters(all);
        pending.set(stream, all.subarray(end));
        if (end === 0) return;
        const whole = all.subarray(0, end);
        lines.add(whole);
        tell({ kind: 'output', stream, data: whole });
      },
      note: (text) => tell({ kind: 'note', text }),
      cached: () => tell({ kind: 'cached' }),
      done: () => tell({ kind: 'done' }),
      cancel: () => {
        if (step !== undefined) tell({ kind: 'cancelled' });
      },
      fail: (message) => {
        this.failed ??= { name, lines: lines.all() };
        tell({ kind: 'failed', message });
      },
    };
  }

  warn(text: string): void {
    this.#display.warn(text);
  }

  end(): void {
    this.#display.end();
  }
}

/** Where the last whole UTF-8 character ends (RFC 3629); bytes that are none count as whole. */
function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) break;
    if (byte < 0xc0) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return length > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

class LastLines {
  #lines: string[] = [];
  #rest = '';

  add(data: Buffer): void {
    const lines = (this.#rest + data.toString('utf8')).split('\n');
    this.#rest = lines.pop() ?? '';
    this.#lines = [...this.#lines, ...lines].slice(-KEPT_LINES);
  }

  all(): string[] {
    return this.#rest === '' ? this.#lines : [...this.#lines, this.#rest].slice(-KEPT_LINES);
  }
}
