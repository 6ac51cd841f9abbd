/** The user's terminal in raw mode: every key goes to the container, which has a line discipline of its own. */
export class RawTerminal implements Disposable {
  readonly #stdin: NodeJS.ReadStream;
  readonly #restore = (): void => void this.#stdin.setRawMode(false);

  constructor(stdin: NodeJS.ReadStream) {
    this.#stdin = stdin;
    stdin.setRawMode(true);
    // However we end, the user's shell gets its terminal back as it was.
    process.on('exit', this.#restore);
  }

  [Symbol.dispose](): void {
    process.off('exit', this.#restore);
    this.#restore();
    this.#stdin.pause();
  }
}
