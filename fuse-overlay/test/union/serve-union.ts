/**
 * A union server for tests: `serve-union.ts --fd N --lower DIR[:DIR…] --upper DIR` serves the inherited /dev/fuse descriptor N;
 * `--tree INDEX --files DIR` in place of `--lower` has an image tree below, `--size BYTES` and `--inodes COUNT` set the quota,
 * `--writeback` has the kernel gather writes, `--takeover` goes on after a dead server. Prints `ready` once it serves.
 */
import { openSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  DirectoryLayer,
  EventLoop,
  formatTrace,
  MergedLower,
  openImageTree,
  openUnion,
  serve,
  type LowerLayer,
  type TraceRecord,
} from '../../src/index.ts';

const { values } = parseArgs({
  options: {
    fd: { type: 'string' },
    lower: { type: 'string' },
    tree: { type: 'string' },
    files: { type: 'string' },
    upper: { type: 'string' },
    size: { type: 'string' },
    inodes: { type: 'string' },
    takeover: { type: 'boolean', default: false },
    writeback: { type: 'boolean', default: false },
    debug: { type: 'boolean', default: false },
  },
});

function openLower(): LowerLayer {
  if (values.tree !== undefined) return openImageTree(values.tree, openSync(values.files!, 'r'));
  const paths = values.lower!.split(':');
  return paths.length === 1 ? new DirectoryLayer(paths[0]!) : new MergedLower(paths);
}

function trace(record: TraceRecord): void {
  process.stderr.write(`${formatTrace(record)}\n`);
}

const fs = openUnion({
  lower: openLower(),
  upperDir: values.upper!,
  takeover: values.takeover,
  writeback: values.writeback,
  quota: {
    ...(values.size !== undefined && { size: Number(values.size) }),
    ...(values.inodes !== undefined && { inodes: Number(values.inodes) }),
  },
});
const loop = new EventLoop();
serve(loop, Number(values.fd), fs, {
  takeover: values.takeover,
  ...(values.debug && { trace }),
  onClose: () => {
    fs.close();
    loop.stop();
  },
});
process.stdout.write('ready\n');
loop.run();
