/**
 * The server of the bench: a process that serves many mounts, as the image server does, so that it is as warm as one.
 * Reads lines on standard input: `INDEX FILES MOUNTPOINT DIRECT-FROM`; answers `mounted` to each. Ends with the input.
 */
import { openSync, readSync } from 'node:fs';
import { EventLoop, ImageTreeFileSystem, mountFuse, openImageTree, serve, type Session } from '../src/index.ts';

const loop = new EventLoop();
const sessions = new Set<Session>();
const chunk = Buffer.alloc(4096);

function mountTree(index: string, files: string, mountpoint: string, directFrom: number): void {
  const tree = openImageTree(index, openSync(files, 'r'));
  const fs = new ImageTreeFileSystem(tree, {
    owner: { uid: 0, gid: 0 },
    ...(directFrom > 0 && { directFrom }),
  });
  const session: Session = serve(loop, mountFuse(mountpoint, { readOnly: true }), fs, {
    onClose: () => {
      sessions.delete(session);
      if (process.env['COUNTERS']) process.stderr.write(`${JSON.stringify(summary(session))}\n`);
      tree.close();
    },
  });
  sessions.add(session);
}

function summary(session: Session): Record<string, string> {
  return Object.fromEntries(
    Object.entries(session.counters.snapshot()).map(([name, { requests, microseconds }]) => [
      name,
      `${requests} x ${(microseconds / requests).toFixed(1)} us`,
    ]),
  );
}

loop.add(0, () => {
  const text = chunk.toString('utf8', 0, readSync(0, chunk));
  if (text === '') loop.stop();
  for (const line of text.split('\n').filter(Boolean)) {
    const [index, files, mountpoint, direct] = line.split(' ') as [string, string, string, string];
    mountTree(index, files, mountpoint, Number(direct));
    process.stdout.write('mounted\n');
  }
});
loop.run();
