/**
 * The servers of the bench: a process that serves many mounts, as trun's servers do, so that it is as warm as one.
 * Reads a `MountRequest` in JSON from each line of standard input; answers `mounted` to each. Ends with the input.
 */
import { openSync, readSync } from 'node:fs';
import {
  EventLoop,
  ImageTreeFileSystem,
  mountFuse,
  openImageTree,
  openUnion,
  serve,
  type FileSystem,
  type Session,
} from '../src/index.ts';

export interface MountRequest {
  readonly mountpoint: string;
  readonly index: string;
  readonly files: string;
  /** From how many bytes on files lead an overlay to the store. */
  readonly direct?: number;
  /** Folder of the upper layer of a union; without it the image tree alone is served. */
  readonly upper?: string;
  readonly writeback?: boolean;
}

const owner = { uid: 0, gid: 0 };
const loop = new EventLoop();
const sessions = new Set<Session>();
const chunk = Buffer.alloc(4096);

function mount({ mountpoint, index, files, direct, upper, writeback = false }: MountRequest): void {
  const tree = openImageTree(index, openSync(files, 'r'));
  const union = upper === undefined ? undefined : openUnion({ lower: tree, upperDir: upper, owner, writeback });
  const fs: FileSystem = union ?? new ImageTreeFileSystem(tree, { owner, ...(direct && { directFrom: direct }) });
  const session: Session = serve(loop, mountFuse(mountpoint, { readOnly: union === undefined }), fs, {
    onClose: () => {
      sessions.delete(session);
      if (process.env['COUNTERS']) process.stderr.write(`${JSON.stringify(summary(session))}\n`);
      union?.close();
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
    mount(JSON.parse(line) as MountRequest);
    process.stdout.write('mounted\n');
  }
});
loop.run();
