/**
 * ADD of a tar archive: what is in it, at the destination. The archive becomes a layer of its own in the store, read as
 * any layer that comes from outside, and the entries are taken from there: nothing in it reaches any file system by a name.
 */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { gunzipSync, zstdDecompressSync, constants } from 'node:zlib';
import { contentPath } from 'fuse-overlay';
import type { ImageStore } from '../../image/image-store.ts';
import { addLayer } from '../../image/layer/add-layer.ts';
import { withTree } from '../source/layer-chain.ts';
import { treeEntries } from '../source/tree-entries.ts';
import type { CopyPlan } from './copy-files.ts';

/** Enough for the first header in any compression. */
const HEAD = 64 * 1024;

/** Programs for what Node cannot decompress. */
const PROGRAMS = [
  { magic: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]), program: 'xz' },
  { magic: Buffer.from('BZh'), program: 'bzip2' },
] as const;

/** Whether a file is a tar archive, plain or compressed: its first header is one. */
export function isArchive(open: () => number, size: number): boolean {
  if (size < 20) return false;
  const fd = open();
  try {
    const head = Buffer.alloc(Math.min(HEAD, size));
    const length = readSync(fd, head, 0, head.length, 0);
    return isTarHeader(plainHead(head.subarray(0, length)));
  } finally {
    closeSync(fd);
  }
}

/** Adds what is in the archive below the destination. Owners are the archive's. */
export async function addArchive(
  store: ImageStore,
  plan: CopyPlan,
  open: () => number,
  shownAs: string,
): Promise<void> {
  const layer = await addLayer(store, archiveStream(open, shownAs), shownAs);
  const folder = plan.destinationFolder();
  withTree(store, [layer], (view) => {
    for (const { entry } of treeEntries(view)) {
      const { contentId } = entry;
      // The view is closed when the contents are read.
      plan.addEntry(folder, {
        entry,
        open: contentId && (() => openSync(join(store.filesDir, contentPath(contentId)), 'r')),
      });
    }
  });
}

/** The first bytes without compression. */
function plainHead(head: Buffer): Buffer {
  try {
    if (head[0] === 0x1f && head[1] === 0x8b) return gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH });
    if (head.readUInt32LE(0) === 0xfd2fb528) return zstdDecompressSync(head, { finishFlush: constants.ZSTD_e_flush });
  } catch {
    return Buffer.alloc(0);
  }
  const program = programFor(head);
  if (program === undefined) return head;
  // It complains that its input is cut off, and has written what there is.
  return spawnSync(program, ['-dc'], { input: head, stdio: ['pipe', 'pipe', 'ignore'] }).stdout;
}

function programFor(head: Buffer): 'xz' | 'bzip2' | undefined {
  return PROGRAMS.find(({ magic }) => head.subarray(0, magic.length).equals(magic))?.program;
}

/** POSIX.1-2017 pax, "ustar Interchange Format": the checksum is the sum of the header's bytes, its own field as blanks. */
function isTarHeader(head: Buffer): boolean {
  if (head.length < 512) return false;
  const stated = Number.parseInt(head.toString('latin1', 148, 156).replace(/[\0 ]/g, ''), 8);
  let sum = 8 * 0x20;
  for (let at = 0; at < 512; at++) if (at < 148 || at >= 156) sum += head[at]!;
  return sum === stated;
}

async function* archiveStream(open: () => number, shownAs: string): AsyncGenerator<Buffer> {
  const fd = open();
  const head = Buffer.alloc(8);
  readSync(fd, head, 0, head.length, 0);
  const program = programFor(head);
  const file = createReadStream('', { fd, start: 0 });
  if (program === undefined) {
    yield* file as AsyncIterable<Buffer>;
    return;
  }
  const child = spawn(program, ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const complaint = text(child.stderr);
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', () => reject(new Error(`Cannot unpack ${shownAs}: ${program} is not installed`)));
    child.once('exit', resolve);
  });
  exited.catch(() => undefined);
  child.stdin.on('error', () => undefined);
  file.pipe(child.stdin);
  yield* child.stdout as AsyncIterable<Buffer>;
  if ((await exited) !== 0) throw new Error(`Cannot unpack ${shownAs}: ${(await complaint).trim()}`);
}
