/** Puts a file system, a /dev/fuse descriptor and an event loop together. */
import { DevFuse } from '../transport/dev-fuse.ts';
import type { EventLoop } from './event-loop.ts';
import type { FileSystem } from './file-system.ts';
import { Session, type ServeOptions } from './session.ts';

/**
 * Serves the mount of `fuseFd` from `loop` until it is unmounted. The session owns the descriptor from now on. With `takeover`
 * the mount is one that another server, now dead, served before.
 */
export function serve(loop: EventLoop, fuseFd: number, fs: FileSystem, options: ServeOptions = {}): Session {
  const session = new Session(new DevFuse(fuseFd), fs, options);
  loop.addSession(session);
  return session;
}
