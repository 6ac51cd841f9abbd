/** `--cidfile`: a file that must not be there yet, and gets the container's id. */
import { closeSync, openSync, rmSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { EngineError } from '../../engine/engine-error.ts';
import { messageOf } from '../report-error.ts';

export interface CidFile extends Disposable {
  write(id: string): void;
}

/** Makes the file before the container, so that two commands cannot have it. Without an id it goes again. */
export function claimCidFile(file: string | undefined, cwd: string): CidFile | undefined {
  if (file === undefined) return undefined;
  const path = resolve(cwd, file);
  const fd = claim(path, file);
  let isWritten = false;
  return {
    write(id) {
      writeSync(fd, id);
      isWritten = true;
    },
    [Symbol.dispose]() {
      closeSync(fd);
      if (!isWritten) rmSync(path, { force: true });
    },
  };
}

function claim(path: string, file: string): number {
  try {
    return openSync(path, 'wx', 0o644);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new EngineError('INVALID', `failed to create the container ID file: ${messageOf(error)}`);
    }
    throw new EngineError(
      'CONFLICT',
      `container ID file found, make sure the other container isn't running or delete ${file}`,
    );
  }
}
