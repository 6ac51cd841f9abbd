/** The command line makes no sense. The message is printed with a pointer to the command's help. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  /** Instead of the command's own exit status for such errors. */
  readonly status: number | undefined;

  constructor(message: string, status?: number, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}
