import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { InvalidInput } from '../../oci/invalid-input.ts';

/** The content of a file that a flag names, relative to `cwd`. Throws InvalidInput with the name as the user wrote it. */
export function readOption(file: string, cwd: string): Uint8Array {
  try {
    return readFileSync(resolve(cwd, file));
  } catch (error) {
    const { message } = error as Error;
    // `no such file or directory`, out of Node's longer message.
    throw new InvalidInput(`open ${file}: ${/^[A-Z]+: ([^,]+),/.exec(message)?.[1] ?? message}`);
  }
}
