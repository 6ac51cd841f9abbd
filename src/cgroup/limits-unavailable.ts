/** Limits were asked for that this host does not let us set. The message says what is missing and how to mend it. */
export class LimitsUnavailable extends Error {
  override readonly name = 'LimitsUnavailable';
  readonly code = 'UNSUPPORTED';
  /** What is missing. */
  readonly reason: string;
  /** What the administrator can do about it, in a line. */
  readonly mend: string;

  constructor(reason: string, mend: string) {
    super(`Cannot limit the container's resources: ${reason}. ${mend}`);
    this.reason = reason;
    this.mend = mend;
  }
}
