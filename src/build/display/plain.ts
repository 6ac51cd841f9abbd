/** One line after another, as BuildKit prints them where there is no terminal. */
import type { Display, ProgressEvent, ShownStep } from './progress.ts';

export interface PlainOptions {
  write(text: string): void;
  /** Milliseconds. */
  now(): number;
}

export class PlainDisplay implements Display {
  readonly #options: PlainOptions;
  /** The step that the last line was about. */
  #last: number | undefined;
  readonly #partial = new Map<number, string>();

  constructor(options: PlainOptions) {
    this.#options = options;
  }

  show(step: ShownStep, event: ProgressEvent): void {
    switch (event.kind) {
      case 'begin':
        return this.#title(step);
      case 'output':
        return this.#output(step, event.data);
      case 'note':
        return this.#line(step, event.text);
      case 'cached':
        return this.#finish(step, 'CACHED');
      case 'done':
        return this.#finish(step, `DONE ${this.#seconds(step, 1)}s`);
      case 'cancelled':
        return this.#finish(step, 'CANCELED');
      case 'failed':
        return this.#finish(step, `ERROR: ${event.message}`);
    }
  }

  warn(text: string): void {
    this.#options.write(`${this.#last === undefined ? '' : '\n'}${text}\n`);
    this.#last = undefined;
  }

  end(): void {
    // Each line has been written when it was whole.
  }

  #title(step: ShownStep): void {
    this.#options.write(`${this.#last === undefined ? '' : '\n'}#${step.id} ${step.name}\n`);
    this.#last = step.id;
  }

  #line(step: ShownStep, text: string): void {
    // Steps take turns: whoever goes on says its name again.
    if (this.#last !== step.id) this.#title(step);
    this.#options.write(`#${step.id} ${text}\n`);
  }

  #output(step: ShownStep, data: Buffer): void {
    const lines = ((this.#partial.get(step.id) ?? '') + data.toString('utf8')).split('\n');
    this.#partial.set(step.id, lines.pop() ?? '');
    for (const line of lines) this.#line(step, `${this.#seconds(step, 3)} ${line.replace(/\r$/, '')}`);
  }

  #finish(step: ShownStep, text: string): void {
    const rest = this.#partial.get(step.id) ?? '';
    if (rest !== '') this.#line(step, `${this.#seconds(step, 3)} ${rest}`);
    this.#partial.delete(step.id);
    this.#line(step, text);
  }

  #seconds({ began }: ShownStep, digits: number): string {
    return ((this.#options.now() - began) / 1000).toFixed(digits);
  }
}
