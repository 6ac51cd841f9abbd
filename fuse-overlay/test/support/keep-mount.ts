/**
 * Keeps a FUSE mount and its server: `keep-mount.ts MOUNTPOINT [server arguments…]`, in a user namespace of `unshare -Urm`.
 * Mounts, starts serve.ts with the descriptor, and starts another one to take over whenever the server is killed. Prints
 * `serving PID` each time a server is ready; ends with the mount. With UPPER_TMPFS=OPTIONS a union's upper layer lies on a
 * tmpfs of its own.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { mountFuse } from '../../src/index.ts';
import { checked } from '../../src/sys/errors.ts';
import { mount } from '../../src/sys/mount.ts';

const [mountpoint, ...serverArguments] = process.argv.slice(2);
if (mountpoint === undefined) throw new Error('usage: keep-mount.ts MOUNTPOINT [server arguments…]');
const upperAt = serverArguments.indexOf('--upper');
const tmpfs = process.env['UPPER_TMPFS'];
if (tmpfs !== undefined) {
  const upper = serverArguments[upperAt + 1]!;
  checked(mount('tmpfs', upper, 'tmpfs', 0, tmpfs), 'mount', 'mount the tmpfs');
}
const fd = mountFuse(mountpoint, { readOnly: upperAt < 0 });
const script = join(import.meta.dirname, 'serve.ts');

for (let takeover = false; ; takeover = true) {
  const argv = [script, '--fd', '3', ...serverArguments, ...(takeover ? ['--takeover'] : [])];
  const server = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit', fd] });
  server.stdout!.once('data', () => process.stdout.write(`serving ${server.pid}\n`));
  const [code] = (await once(server, 'exit')) as [number | null];
  if (code !== null) process.exit(code);
}
