/**
 * Keeps a FUSE mount and its server: `keep-mount.ts MOUNTPOINT [server arguments…]`, in a user namespace of `unshare -Urm`.
 * Mounts, starts serve.ts with the descriptor, and starts another one to take over whenever the server is killed. Prints
 * `serving PID` each time a server is ready; ends with the mount.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { mountFuse } from '../../src/index.ts';

const [mountpoint, ...serverArguments] = process.argv.slice(2);
if (mountpoint === undefined) throw new Error('usage: keep-mount.ts MOUNTPOINT [server arguments…]');
const fd = mountFuse(mountpoint, { readOnly: true });
const script = join(import.meta.dirname, 'serve.ts');

for (let takeover = false; ; takeover = true) {
  const argv = [script, '--fd', '3', ...serverArguments, ...(takeover ? ['--takeover'] : [])];
  const server = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit', fd] });
  server.stdout!.once('data', () => process.stdout.write(`serving ${server.pid}\n`));
  const [code] = (await once(server, 'exit')) as [number | null];
  if (code !== null) process.exit(code);
}
