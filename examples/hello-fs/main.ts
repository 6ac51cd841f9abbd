/**
 * The smallest file system that can be looked at: one directory with one file.
 *
 *   node --conditions=source examples/hello-fs/main.ts [--debug] /tmp/hello     (and `cat /tmp/hello/hello` elsewhere)
 *
 * Ends with Ctrl-C or `fusermount3 -u /tmp/hello`.
 */
import { parseArgs } from 'node:util';
import {
  EventLoop,
  FileType,
  ROOT_NODE,
  formatTrace,
  mountFuse,
  serve,
  unmountFuse,
  type Attributes,
  type FileSystem,
} from 'fuse-overlay';

const HELLO_NODE = 2;
const text = Buffer.from('Hello, world!\n');
const name = Buffer.from('hello');
const ENOENT = 2;

function describe(node: number, out: Attributes): void {
  out.ino = node;
  out.mode = node === ROOT_NODE ? FileType.directory | 0o755 : FileType.file | 0o444;
  out.nlink = node === ROOT_NODE ? 2 : 1;
  out.size = node === ROOT_NODE ? 0 : text.length;
  out.uid = process.getuid!();
  out.gid = process.getgid!();
}

const hello: FileSystem = {
  lookup(_request, parent, wanted, entry) {
    if (parent !== ROOT_NODE || wanted.toString() !== 'hello') return -ENOENT;
    entry.nodeId = HELLO_NODE;
    entry.entryTimeout = entry.attrTimeout = 60;
    describe(HELLO_NODE, entry.attributes);
    return 0;
  },
  getattr(_request, node, _handle, entry) {
    entry.attrTimeout = 60;
    describe(node, entry.attributes);
    return 0;
  },
  readdir(_request, _node, _handle, offset, out) {
    if (offset > 0) return 0;
    out.entry.nodeId = HELLO_NODE;
    out.entry.entryTimeout = out.entry.attrTimeout = 60;
    describe(HELLO_NODE, out.entry.attributes);
    out.add(name, 0, name.length, 1);
    return 0;
  },
  read(_request, _node, _handle, offset, out) {
    return text.copy(out.buffer, out.start, offset, Math.min(text.length, offset + out.length));
  },
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { debug: { type: 'boolean' } } });
const [target] = positionals;
if (target === undefined) {
  process.stderr.write('usage: hello-fs [--debug] DIRECTORY\n');
  process.exit(1);
}

const loop = new EventLoop();
serve(loop, mountFuse(target, { name: 'hello', readOnly: true }), hello, {
  ...(values.debug && { trace: (record) => process.stderr.write(`${formatTrace(record)}\n`) }),
  onClose: () => {
    loop.stop();
  },
});
process.once('SIGINT', () => {
  unmountFuse(target);
});
await loop.runShared();
