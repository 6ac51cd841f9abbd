import { EngineError } from './engine-error.ts';

const DEFAULT = 'ctrl-p,ctrl-q';

/** Looks for the keys that end an attachment among what the user types. */
export class DetachKeys {
  readonly #sequence: readonly number[];
  #matched = 0;

  /** `text` as `--detach-keys`: letters and ctrl-X, divided by commas. Throws INVALID for anything else. */
  constructor(text: string = DEFAULT) {
    this.#sequence = text.split(',').map(keyCode);
  }

  /** What of the input goes on to the container, and whether the user has asked to leave. */
  feed(input: Buffer): { pass: Buffer; detached: boolean } {
    const pass: number[] = [];
    for (const byte of input) {
      if (byte === this.#sequence[this.#matched]) {
        this.#matched++;
        if (this.#matched === this.#sequence.length) return { pass: Buffer.from(pass), detached: true };
        continue;
      }
      // What had been held back was no beginning after all; this byte may be one.
      pass.push(...this.#sequence.slice(0, this.#matched));
      this.#matched = byte === this.#sequence[0] ? 1 : 0;
      if (this.#matched === 0) pass.push(byte);
    }
    return { pass: Buffer.from(pass), detached: false };
  }
}

function keyCode(key: string): number {
  const control = /^ctrl-([a-z@[\\\]^_])$/i.exec(key)?.[1];
  if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
  if (key.length === 1 && key.charCodeAt(0) < 128) return key.charCodeAt(0);
  throw new EngineError('INVALID', `invalid detach keys: unknown character: '${key}'`);
}
