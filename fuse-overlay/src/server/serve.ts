/** Puts a file system, a /dev/fuse descriptor and an event loop together. */
import { DevFuse } from '../transport/dev-fuse.ts';
import type { Transport } from '../transport/transport.ts';
import type { EventLoop } from './event-loop.ts';
import type { FileSystem } from './file-system.ts';
import { Session, type ServeOptions } from './session.ts';

/**
 * Serves a mount, of a descriptor of /dev/fuse or of another transport, from `loop` until it is unmounted. The session owns the descriptor from now on. With `takeover`
 * the mount is one that another server, now dead, served before.
 */
export function serve(loop: EventLoop, fuse: number | Transport, fs: FileSystem, options: ServeOptions = {}): Session {
  const session = new Session(typeof fuse === 'number' ? new DevFuse(fuse) : fuse, fs, options);
  loop.addSession(session);
  return session;
}
