/**
 * A server process for tests and benches: `serve.ts --fd N --tree INDEX --files DIR` or `--fd N --directory DIR` serves the
 * inherited /dev/fuse descriptor N. `--takeover` after a dead server; `--owner` presents every file as owned by 0, `--direct` and `--order` are the
 * options of ImageTreeFileSystem; `--debug`
 * writes each request, `--counters` at the end the counts, to standard error. Prints `ready` once it serves.
 */
import { openSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  DirectoryFileSystem,
  EventLoop,
  ImageTreeFileSystem,
  formatTrace,
  openImageTree,
  serve,
  type FileSystem,
  type TraceRecord,
} from '../../src/index.ts';

const { values } = parseArgs({
  options: {
    fd: { type: 'string' },
    tree: { type: 'string' },
    files: { type: 'string' },
    directory: { type: 'string' },
    takeover: { type: 'boolean', default: false },
    owner: { type: 'boolean', default: false },
    direct: { type: 'string' },
    order: { type: 'string' },
    debug: { type: 'boolean', default: false },
    counters: { type: 'boolean', default: false },
  },
});

const options = {
  ...(values.owner && { owner: { uid: 0, gid: 0 } }),
  ...(values.direct !== undefined && { directFrom: Number(values.direct) }),
  ...(values.order !== undefined && { orderFile: values.order }),
};

function openFileSystem(): FileSystem {
  if (values.directory !== undefined) return new DirectoryFileSystem(values.directory, { timeout: 0.2, ...options });
  if (values.tree === undefined || values.files === undefined) throw new Error('--tree and --files, or --directory');
  return new ImageTreeFileSystem(openImageTree(values.tree, openSync(values.files, 'r')), options);
}

function trace(record: TraceRecord): void {
  process.stderr.write(`${formatTrace(record)}\n`);
}

const loop = new EventLoop();
const session = serve(loop, Number(values.fd), openFileSystem(), {
  takeover: values.takeover,
  ...(values.debug && { trace }),
  onClose: () => {
    loop.stop();
  },
});
process.stdout.write('ready\n');
loop.run();
if (values.counters) process.stderr.write(`${JSON.stringify(session.counters.snapshot())}\n`);
