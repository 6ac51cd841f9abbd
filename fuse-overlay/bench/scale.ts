/**
 * How mounting and walking grow with the number of files: trees of 7,000 and 300,000 entries, in a fresh server process each.
 * Prints time to ready (open the index, mount), walk per file, and the server's private memory:
 *
 *   node --conditions=source fuse-overlay/bench/scale.ts
 */
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unmountFuse } from '../src/index.ts';
import { makeLargeTree } from '../test/support/large-tree.ts';
import { bundle, privateMemory, startServer } from './server-process.ts';

if (process.argv[2] === 'inside') await main();
else {
  const argv = ['-Urm', process.execPath, ...process.execArgv, process.argv[1]!, 'inside'];
  process.exitCode = spawnSync('unshare', argv, { stdio: 'inherit' }).status ?? 1;
}

async function main(): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'fuse-overlay-bench-'));
  const target = join(work, 'mnt');
  const program = bundle('tree-server.ts', join(work, 'server.cjs'));
  mkdirSync(target);
  for (const count of [7_000, 300_000]) {
    const began = performance.now();
    const index = makeLargeTree(count, work);
    const merged = performance.now() - began;
    const server = startServer(program, [index, target]);
    const [ready] = (await once(server.stdout, 'data')) as [Buffer];
    const idle = privateMemory(server.pid!);
    const walkBegan = performance.now();
    const { stdout } = spawnSync('sh', ['-c', `find ${target} -printf '%s\n' | wc -l`], { encoding: 'utf8' });
    const walk = ((performance.now() - walkBegan) * 1000) / Number(stdout);
    process.stdout.write(
      `${stdout.trim()} entries: merged in ${merged.toFixed(0)} ms, ready in ${ready.toString().trim()} ms, ` +
        `walk ${walk.toFixed(1)} us each, private ${idle.toFixed(1)} MB, ` +
        `${privateMemory(server.pid!).toFixed(1)} MB after the walk\n`,
    );
    unmountFuse(target);
    await once(server, 'exit');
  }
  rmSync(work, { recursive: true });
}
