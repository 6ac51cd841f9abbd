/**
 * Mounts a union and starts a server again whenever it is killed: `union-mount.ts MOUNTPOINT [arguments of serve-union.ts…]`,
 * in a user namespace of `unshare -Urm`. Prints `serving PID` each time a server is ready; ends with the mount. With
 * UNION_TMPFS=OPTIONS the upper layer lies on a tmpfs of its own.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { mountFuse } from '../../src/index.ts';
import { checked } from '../../src/sys/errors.ts';
import { mount } from '../../src/sys/mount.ts';

const [mountpoint, ...serverArguments] = process.argv.slice(2);
if (mountpoint === undefined) throw new Error('usage: union-mount.ts MOUNTPOINT [server arguments…]');
const tmpfs = process.env['UNION_TMPFS'];
if (tmpfs !== undefined) {
  const upper = serverArguments[serverArguments.indexOf('--upper') + 1]!;
  checked(mount('tmpfs', upper, 'tmpfs', 0, tmpfs), 'mount', 'mount the tmpfs');
}
const fd = mountFuse(mountpoint);
const script = join(import.meta.dirname, 'serve-union.ts');

for (let takeover = false; ; takeover = true) {
  const argv = [script, '--fd', '3', ...serverArguments, ...(takeover ? ['--takeover'] : [])];
  const server = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit', fd] });
  server.stdout!.once('data', () => process.stdout.write(`serving ${server.pid}\n`));
  const [code] = (await once(server, 'exit')) as [number | null];
  if (code !== null) process.exit(code);
}
