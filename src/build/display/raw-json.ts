/** BuildKit's status stream: a JSON document a line, for programs. */
import { createHash } from 'node:crypto';
import type { Display, ProgressEvent, ShownStep } from './progress.ts';

export class RawJsonDisplay implements Display {
  readonly #write: (text: string) => void;
  readonly #started = new Map<number, string>();

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  show(step: ShownStep, event: ProgressEvent): void {
    const digest = digestOf(step);
    const timestamp = new Date().toISOString();
    if (event.kind === 'output') {
      return this.#say({
        logs: [{ vertex: digest, stream: event.stream, data: event.data.toString('base64'), timestamp }],
      });
    }
    if (event.kind === 'note') {
      const status = {
        id: event.text,
        vertex: digest,
        current: 0,
        timestamp,
        started: timestamp,
        completed: timestamp,
      };
      return this.#say({ statuses: [status] });
    }
    const started = this.#started.get(step.id) ?? timestamp;
    this.#started.set(step.id, started);
    this.#say({
      vertexes: [
        {
          digest,
          name: step.name,
          started,
          ...(event.kind === 'begin' ? {} : { completed: timestamp }),
          ...(event.kind === 'cached' ? { cached: true } : {}),
          ...(event.kind === 'failed' ? { error: event.message } : {}),
          ...(event.kind === 'cancelled' ? { error: 'context canceled' } : {}),
        },
      ],
    });
  }

  warn(text: string): void {
    this.#say({ warnings: [{ level: 1, short: Buffer.from(text).toString('base64') }] });
  }

  end(): void {
    // Each line has been written.
  }

  #say(value: unknown): void {
    this.#write(`${JSON.stringify(value)}\n`);
  }
}

/** Names the step within this stream. */
function digestOf({ id, name }: ShownStep): string {
  return `sha256:${createHash('sha256').update(`${id} ${name}`).digest('hex')}`;
}
