/** `serve-native.ts MOUNTPOINT LOWER UPPER`: a union through fuse-native. Prints `ready`; unmounts and ends with standard input. */
import { DirectoryLayer, EventLoop, mountFuseNative, openUnion, serve } from '../../src/index.ts';

const [target, lower, upper] = process.argv.slice(2) as [string, string, string];
const native = mountFuseNative(target);
const fs = openUnion({ lower: new DirectoryLayer(lower), upperDir: upper });
const loop = new EventLoop();
serve(loop, native.transport, fs, {
  onClose: () => {
    fs.close();
    loop.stop();
  },
});
const served = loop.runShared();
await native.mount();
process.stdout.write('ready\n');
process.stdin.resume().on('end', () => void native.unmount());
await served;
process.exit(0);
