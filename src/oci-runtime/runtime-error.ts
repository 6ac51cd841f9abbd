/** A failure that is told the caller in one line, in the words that engines look for. */
export class RuntimeError extends Error {
  override readonly name = 'RuntimeError';
  /** The exit status. */
  readonly status: number;

  constructor(message: string, status = 1) {
    super(message);
    this.status = status;
  }
}
