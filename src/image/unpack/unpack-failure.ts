import { ImageError, reasonOf } from '../image-error.ts';
import { TarError } from './tar-header.ts';
import type { UnpackFailure } from './unpack-messages.ts';

export function describeFailure(error: unknown): UnpackFailure {
  const { code } = error as { code?: unknown };
  return {
    message: reasonOf(error),
    isArchive: error instanceof TarError,
    ...(typeof code === 'string' && { code }),
  };
}

/** The one line for the user. `shownAs`: a layer by the start of its digest, an archive by its file. */
export function unpackError(
  { message, isArchive, code }: UnpackFailure,
  shownAs: string,
  verb: 'unpack layer' | 'read' = 'unpack layer',
): ImageError {
  const action = `Cannot ${verb} ${shownAs}`;
  return isArchive ? new ImageError('INVALID', `${action}: ${message}`) : diskError(action, message, code);
}

/** A failure of the disk or the file system. */
export function diskError(action: string, message: string, code: string | undefined): ImageError {
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return new ImageError('DAMAGED', `${action}: ${message}`);
  const reason = code === 'ENOSPC' ? 'no space left on device (ENOSPC)' : 'disk quota exceeded (EDQUOT)';
  return new ImageError(
    'NO_SPACE',
    `${action}: ${reason}; free some space and pull again, it goes on from what is there`,
  );
}
