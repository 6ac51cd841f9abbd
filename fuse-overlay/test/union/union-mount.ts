/**
 * Mounts a union and starts a server again whenever it is killed: `union-mount.ts MOUNTPOINT [arguments of serve-union.ts…]`,
 * in a user namespace of `unshare -Urm`. Prints `serving PID` each time a server is ready; ends with the mount.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { mountFuse } from '../../src/index.ts';

const [mountpoint, ...serverArguments] = process.argv.slice(2);
if (mountpoint === undefined) throw new Error('usage: union-mount.ts MOUNTPOINT [server arguments…]');
const fd = mountFuse(mountpoint);
const script = join(import.meta.dirname, 'serve-union.ts');

for (let takeover = false; ; takeover = true) {
  const argv = [script, '--fd', '3', ...serverArguments, ...(takeover ? ['--takeover'] : [])];
  const server = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit', fd] });
  server.stdout!.once('data', () => process.stdout.write(`serving ${server.pid}\n`));
  const [code] = (await once(server, 'exit')) as [number | null];
  if (code !== null) process.exit(code);
}
