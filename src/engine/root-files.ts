/** A container's root from outside. Its content is hostile: of a file, only what it gives, up to a limit. */
import { close, closeSync, fstat, openSync, read } from 'node:fs';
import { promisify } from 'node:util';
import { O } from '../sys/linux-constants.ts';
import { openBelowAside } from '../sys/openat2.ts';
import { isAlive, type ProcessIdentity } from '../sys/process-identity.ts';

/** More than any account file in earnest. */
const LIMIT = 8 << 20;

/**
 * The text of a file below `root`, a folder that this process can reach; undefined where there is no such regular file. It may be
 * behind a FUSE mount: whoever waits there waits for a file server, which the agent replaces when it dies, so the agent never
 * waits itself.
 */
export async function readTextBelow(root: string, path: string): Promise<string | undefined> {
  let folder: number | undefined;
  let file: number | undefined;
  try {
    folder = openSync(root, O.PATH | O.DIRECTORY | O.CLOEXEC);
    file = await openBelowAside(folder, path.replace(/^\//, ''), O.RDONLY | O.NOCTTY);
    const stat = await promisify(fstat)(file);
    if (!stat.isFile() || stat.size > LIMIT) return undefined;
    const content = Buffer.alloc(stat.size);
    const { bytesRead } = await promisify(read)(file, content, 0, content.length, 0);
    return content.toString('utf8', 0, bytesRead);
  } catch {
    return undefined;
  } finally {
    // The last close of a file waits for its file system, too.
    if (file !== undefined) close(file);
    if (folder !== undefined) closeSync(folder);
  }
}

/**
 * The root of that very process, never of another that has its pid by now, as an O_PATH fd which the caller closes; undefined
 * where it is gone.
 */
export function openRoot(identity: ProcessIdentity | undefined): number | undefined {
  if (identity === undefined) return undefined;
  let root: number;
  try {
    root = openSync(`/proc/${identity.pid}/root`, O.PATH | O.DIRECTORY | O.CLOEXEC);
  } catch (error) {
    if (isAlive(identity)) throw error;
    return undefined;
  }
  // Alive now, it had its pid a moment ago, too.
  if (isAlive(identity)) return root;
  closeSync(root);
  return undefined;
}
