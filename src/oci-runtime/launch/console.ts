import { resolve } from 'node:path';
import { socketAddress } from '../../state/socket-address.ts';
import { connectUnix } from '../../sys/unix-connect.ts';
import { RuntimeError } from '../runtime-error.ts';

/** The engine's end is listening when it calls us. */
const PATIENCE_MS = 10_000;

/** Connects to the socket that a terminal's master is to be sent to; undefined where none is named. */
export function connectConsole(path: string | undefined): number | undefined {
  if (path === undefined || path === '') return undefined;
  using address = socketAddress(resolve(path));
  try {
    return connectUnix(address.path, PATIENCE_MS);
  } catch (error) {
    throw new RuntimeError(`cannot connect to the console socket: ${(error as Error).message}`);
  }
}
