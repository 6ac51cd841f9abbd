/**
 * How mounting and walking grow with the number of files: trees of 7,000 and 300,000 entries, in a fresh server process each.
 * Prints time to ready (open the index, mount), walk per file, and the server's private memory:
 *
 *   node --conditions=source fuse-overlay/bench/scale.ts
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  EventLoop,
  ImageTreeFileSystem,
  LayerListWriter,
  layerEntry,
  mergeLayers,
  mountFuse,
  openImageTree,
  serve,
  unmountFuse,
} from '../src/index.ts';

const [mode, index, mountpoint] = process.argv.slice(2);
if (mode === undefined)
  process.exitCode =
    spawnSync('unshare', ['-Urm', process.execPath, ...process.execArgv, process.argv[1]!, 'all'], { stdio: 'inherit' })
      .status ?? 1;
else if (mode === 'all') await all();
else serveOne(index!, mountpoint!);

async function all(): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), 'fuse-overlay-bench-'));
  const target = join(work, 'mnt');
  mkdirSync(target);
  for (const count of [7_000, 300_000]) {
    const began = performance.now();
    makeTree(count, work);
    const merged = performance.now() - began;
    const server = spawn(process.execPath, [process.argv[1]!, 'serve', join(work, 'index'), target]);
    server.stderr.pipe(process.stderr);
    const [ready] = (await once(server.stdout, 'data')) as [Buffer];
    const idle = privateMemory(server.pid!);
    const walkBegan = performance.now();
    const { stdout } = spawnSync('sh', ['-c', `find ${target} -printf '%s\n' | wc -l`], { encoding: 'utf8' });
    const walk = ((performance.now() - walkBegan) * 1000) / Number(stdout);
    process.stdout.write(
      `${stdout.trim()} entries: merged in ${merged.toFixed(0)} ms, ready in ${ready.toString().trim()} ms, ` +
        `walk ${walk.toFixed(1)} us each, private ${idle} MB, ${privateMemory(server.pid!)} MB after the walk\n`,
    );
    unmountFuse(target);
    await once(server, 'exit');
  }
  rmSync(work, { recursive: true });
}

function makeTree(count: number, work: string): void {
  const writer = new LayerListWriter();
  for (let directory = 0; directory * 30 < count; directory++) {
    const parent = `usr/share/group${directory % 50}/package${directory}`;
    writer.add(layerEntry({ path: Buffer.from(parent), type: 'directory', mode: 0o755 }));
    for (let file = 0; file < 29; file++) {
      const path = Buffer.from(`${parent}/some-file-name-${file}.txt`);
      writer.add(layerEntry({ path, type: 'file', mode: 0o644, size: file, contentId: Buffer.alloc(32, directory) }));
    }
  }
  writer.commit(join(work, 'list'));
  mergeLayers([join(work, 'list')], join(work, 'index'));
}

function serveOne(path: string, target: string): void {
  const loop = new EventLoop();
  const began = performance.now();
  const tree = openImageTree(path, openSync('/', 'r'));
  serve(loop, mountFuse(target, { readOnly: true }), new ImageTreeFileSystem(tree), { onClose: () => loop.stop() });
  process.stdout.write(`${(performance.now() - began).toFixed(1)}\n`);
  loop.run();
}

/** Private memory in MB: what it has written to, without pages of files, which can be dropped and read again. */
function privateMemory(pid: number): string {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return (Number(/^Private_Dirty:\s+(\d+)/m.exec(rollup)?.[1]) / 1024).toFixed(1);
}
