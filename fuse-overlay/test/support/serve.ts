/**
 * A server process for tests and benches, on the inherited /dev/fuse descriptor `--fd N`:
 *
 *     --tree INDEX --files DIR    an image tree; `--owner`, `--direct` and `--order` are options of ImageTreeFileSystem
 *     --directory DIR             a live directory
 *     --upper DIR                 a union, over the tree or over `--lower DIR[:DIR…]`; `--size BYTES` and `--inodes COUNT` are
 *                                 its quota, `--writeback` has the kernel gather writes
 *
 * `--owner` presents every file as owned by 0, `--takeover` goes on after a dead server; `--debug` writes each request,
 * `--counters` at the end the counts, to standard error. Prints `ready` once it serves.
 */
import { openSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  DirectoryFileSystem,
  DirectoryLayer,
  EventLoop,
  ImageTreeFileSystem,
  MergedLower,
  UnionFileSystem,
  formatTrace,
  openImageTree,
  openUnion,
  serve,
  type FileSystem,
  type ImageTree,
  type LowerLayer,
  type TraceRecord,
} from '../../src/index.ts';

const { values } = parseArgs({
  options: {
    fd: { type: 'string' },
    tree: { type: 'string' },
    files: { type: 'string' },
    directory: { type: 'string' },
    lower: { type: 'string' },
    upper: { type: 'string' },
    size: { type: 'string' },
    inodes: { type: 'string' },
    writeback: { type: 'boolean', default: false },
    takeover: { type: 'boolean', default: false },
    owner: { type: 'boolean', default: false },
    direct: { type: 'string' },
    order: { type: 'string' },
    debug: { type: 'boolean', default: false },
    counters: { type: 'boolean', default: false },
  },
});

const owner = values.owner && { owner: { uid: 0, gid: 0 } };

function openTree(): ImageTree {
  if (values.tree === undefined || values.files === undefined) throw new Error('--tree and --files, or --directory');
  return openImageTree(values.tree, openSync(values.files, 'r'));
}

function openLower(): LowerLayer {
  if (values.lower === undefined) return openTree();
  const paths = values.lower.split(':');
  return paths.length === 1 ? new DirectoryLayer(paths[0]!) : new MergedLower(paths);
}

function openFileSystem(): FileSystem {
  const { directory, direct, order, upper, size, inodes, takeover, writeback } = values;
  if (upper !== undefined) {
    const quota = {
      ...(size !== undefined && { size: Number(size) }),
      ...(inodes !== undefined && { inodes: Number(inodes) }),
    };
    return openUnion({ lower: openLower(), upperDir: upper, takeover, writeback, quota, ...owner });
  }
  const options = {
    ...owner,
    ...(direct !== undefined && { directFrom: Number(direct) }),
    ...(order !== undefined && { orderFile: order }),
  };
  if (directory !== undefined) return new DirectoryFileSystem(directory, { timeout: 0.2, ...options });
  return new ImageTreeFileSystem(openTree(), options);
}

function trace(record: TraceRecord): void {
  process.stderr.write(`${formatTrace(record)}\n`);
}

const fs = openFileSystem();
const loop = new EventLoop();
const session = serve(loop, Number(values.fd), fs, {
  takeover: values.takeover,
  ...(values.debug && { trace }),
  onClose: () => {
    if (fs instanceof UnionFileSystem) fs.close();
    loop.stop();
  },
});
process.stdout.write('ready\n');
loop.run();
if (values.counters) process.stderr.write(`${JSON.stringify(session.counters.snapshot())}\n`);
