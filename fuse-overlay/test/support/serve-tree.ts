/**
 * `serve-tree.ts INDEX FILES MOUNTPOINT`: mounts an image tree and serves it, in a user namespace of `unshare -Urm`.
 * `serve-tree.ts INDEX FILES --fd N [--takeover]`: serves the inherited descriptor N.
 * Prints `ready` once it serves. With --debug every request goes to standard error, with --counters the counts at the end.
 */
import { openSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  EventLoop,
  ImageTreeFileSystem,
  formatTrace,
  mountFuse,
  openImageTree,
  serve,
  type TraceRecord,
} from '../../src/index.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    fd: { type: 'string' },
    takeover: { type: 'boolean', default: false },
    owner: { type: 'boolean', default: false },
    debug: { type: 'boolean', default: false },
    counters: { type: 'boolean', default: false },
  },
});
const [index, files, mountpoint] = positionals;
if (index === undefined || files === undefined) throw new Error('usage: serve-tree.ts INDEX FILES [MOUNTPOINT]');

const began = performance.now();
const tree = openImageTree(index, openSync(files, 'r'));
const fs = new ImageTreeFileSystem(tree, values.owner ? { owner: { uid: 0, gid: 0 } } : {});
const loop = new EventLoop();
const fd = values.fd === undefined ? mountFuse(mountpoint ?? '', { readOnly: true }) : Number(values.fd);

function trace(record: TraceRecord): void {
  process.stderr.write(`${formatTrace(record)}\n`);
}

const session = serve(loop, fd, fs, {
  takeover: values.takeover,
  ...(values.debug && { trace }),
  onClose: () => {
    loop.stop();
  },
});
process.stdout.write(`ready ${(performance.now() - began).toFixed(1)}\n`);
loop.run();
if (values.counters) process.stderr.write(`${JSON.stringify(session.counters.snapshot())}\n`);
tree.close();
