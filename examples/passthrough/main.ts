/**
 * A folder shown under another path, through FUSE:
 *
 *   node --conditions=source examples/passthrough/main.ts [--debug] FOLDER DIRECTORY
 *
 * Ends with Ctrl-C or `fusermount3 -u DIRECTORY`. The folder must not have DIRECTORY in it.
 */
import { parseArgs } from 'node:util';
import { EventLoop, formatTrace, mountFuse, serve, unmountFuse } from 'fuse-overlay';
import { PassthroughFileSystem } from './passthrough.ts';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { debug: { type: 'boolean' } } });
const [folder, target] = positionals;
if (folder === undefined || target === undefined) {
  process.stderr.write('usage: passthrough [--debug] FOLDER DIRECTORY\n');
  process.exit(1);
}

const loop = new EventLoop();
serve(loop, mountFuse(target, { name: 'passthrough' }), new PassthroughFileSystem(folder), {
  ...(values.debug && { trace: (record) => process.stderr.write(`${formatTrace(record)}\n`) }),
  onClose: () => {
    loop.stop();
  },
});
process.once('SIGINT', () => {
  unmountFuse(target);
});
await loop.runShared();
