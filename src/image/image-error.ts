/**
 * What kind of thing went wrong, for exit codes and HTTP statuses; the message is for people.
 *
 * INVALID: malformed input, ours or an image's. NOT_FOUND, CONFLICT, UNAUTHORIZED: as named. UNSUPPORTED: well-formed, but not
 * for us (an artifact, another platform). UNAVAILABLE: a registry or the network; may be tried again. DAMAGED: bytes are not
 * what their digest says. NO_SPACE: the disk or a limit is full. CANCELLED: the caller's signal.
 */
export type ImageErrorCode =
  | 'INVALID'
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'UNAUTHORIZED'
  | 'UNSUPPORTED'
  | 'UNAVAILABLE'
  | 'DAMAGED'
  | 'NO_SPACE'
  | 'CANCELLED';

/** Every error that this room means for its callers' users. Anything else that comes out of it is a bug. */
export class ImageError extends Error {
  readonly code: ImageErrorCode;

  constructor(code: ImageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ImageError';
    this.code = code;
  }
}

/** Text of anything thrown, for a line that continues with a reason. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Rejects with CANCELLED once the caller has given up. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new ImageError('CANCELLED', 'Cancelled', { cause: signal.reason });
}
