/** Serves one image tree and tells how long it took to be ready: `tree-server INDEX MOUNTPOINT`, for scale.ts. */
import { openSync } from 'node:fs';
import { EventLoop, ImageTreeFileSystem, mountFuse, openImageTree, serve } from '../src/index.ts';

const [index, mountpoint] = process.argv.slice(2) as [string, string];
const loop = new EventLoop();
const began = performance.now();
const fs = new ImageTreeFileSystem(openImageTree(index, openSync('/', 'r')));
serve(loop, mountFuse(mountpoint, { readOnly: true }), fs, { onClose: () => loop.stop() });
process.stdout.write(`${(performance.now() - began).toFixed(1)}\n`);
loop.run();
