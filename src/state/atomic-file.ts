/** Files that are either as they were or as they should be, whenever the machine or the process dies. */
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { errorCode } from '../base/error-code.ts';

let sequence = 0;

/** What has reached the disk when the call returns. */
export type Sync = 'folder' | 'content' | 'none';

/**
 * Writes a file in full or not at all: temporary file beside it, fsync, rename(2), fsync of the folder. Throws Node's
 * error (ENOSPC on a full disk) with the old content still in place.
 *
 * Each sync waits for the disk, and for what others have written to it. A file that a later, synced one leads to can do with
 * less: `content` leaves its name to that one's sync (file systems keep the order of names), `none` its content as well, for what
 * may be found empty after a crash of the machine.
 */
export function writeFileAtomic(path: string, content: string | Uint8Array, mode = 0o600, sync: Sync = 'folder'): void {
  const temporary = `${path}.${process.pid}-${sequence++}.tmp`;
  try {
    const fd = openSync(temporary, 'wx', mode);
    try {
      const bytes = typeof content === 'string' ? Buffer.from(content) : content;
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
      if (sync !== 'none') fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  if (sync === 'folder') syncFolder(dirname(path));
}

/** Makes a rename, a new or a removed entry of this folder durable. */
export function syncFolder(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Writes a value as JSON, atomically. */
export function writeJson(path: string, value: unknown, sync: Sync = 'folder'): void {
  writeFileAtomic(path, `${JSON.stringify(value, undefined, 2)}\n`, 0o600, sync);
}

/** Reads a JSON file that we wrote; undefined where there is none. Throws where it is not JSON, naming the file. */
// The caller says what we wrote there.
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters
export function readJson<T>(path: string): T | undefined {
  let text;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT' || errorCode(error) === 'ENOTDIR') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new Error(`Cannot read ${path}: it is not JSON (${(cause as Error).message})`, { cause });
  }
}
