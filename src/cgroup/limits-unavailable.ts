import type { Obstacle } from './mends.ts';

/** Limits were asked for that this host does not let us set. The message says what is missing and how to mend it. */
export class LimitsUnavailable extends Error {
  override readonly name = 'LimitsUnavailable';
  readonly code = 'UNSUPPORTED';
  /** What is missing. */
  readonly reason: string;
  /** What the administrator can do about it, in a line. */
  readonly mend: string;

  /** `what` are the controllers whose limits were asked for; empty where that is not known. */
  constructor(what: readonly string[], { reason, mend }: Obstacle) {
    super(
      `Cannot limit ${what.length === 0 ? 'resources' : what.join(', ')}: ${reason}. An administrator can mend it: ${mend}`,
    );
    this.reason = reason;
    this.mend = mend;
  }
}
