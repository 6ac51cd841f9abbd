/**
 * Reads a container's writable layer beside what lies below it. A process of its own, for the files of a kernel overlay belong to
 * any of the user's ids and are read as root of the user's namespaces, and hashing a large layer would hold everything else up.
 * Nothing is followed: directories are walked by descriptor, links are told and not taken.
 *
 * argv: one JSON LayerTask.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import {
  DirectoryLayer,
  exportLayer,
  exportOverlay,
  exportUnion,
  openImageTree,
  type LayerExport,
  type LowerLayer,
} from 'fuse-overlay';
import { containerChanges } from '../../image/layer/container-changes.ts';
import { layerTar } from '../../image/layer/layer-tar.ts';
import { layerXattrs } from '../../image/layer/layer-xattrs.ts';
import { storeLayer } from '../../image/layer/store-layer.ts';
import { StoreLayout } from '../../image/store/layout.ts';
import { contentAsker } from '../../state/wanted-contents.ts';
import { syncFileSystem } from '../../sys/sync-file-system.ts';
import { writeRootfs } from '../write-rootfs.ts';
import { folderSize } from './folder-size.ts';
import type { LayerTask, ReadTask, UnpackTask } from './task.ts';

const task = JSON.parse(process.argv[2]!) as LayerTask;

try {
  perform(task);
} catch (error) {
  const { code } = error as { code?: unknown };
  // A reader that has had enough.
  if (code !== 'EPIPE') process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}

function perform(given: LayerTask): void {
  if (given.operation === 'measure') write(Buffer.from(JSON.stringify(given.folders.map(folderSize))));
  else if (given.operation === 'unpack') unpack(given);
  else if (given.waits !== true || readSync(0, Buffer.alloc(1)) > 0) read(given);
}

function unpack({ target, keepOwners, ...image }: UnpackTask): void {
  writeRootfs(image, target, { keepOwners });
  const fd = openSync(target, 'r');
  try {
    syncFileSystem(fd);
  } finally {
    closeSync(fd);
  }
}

function read(task: ReadTask): void {
  const { operation, store, latest } = task;
  switch (operation) {
    case 'changes':
      for (const { kind, path } of containerChanges(entries(task, false))) {
        write(Buffer.concat([Buffer.from(`${kind} `), path, Buffer.from([0])]));
      }
      return;
    case 'tar':
    case 'whole':
      for (const piece of layerTar(entries(task, operation === 'whole'))) write(piece);
      return;
    case 'store': {
      const options = { consume: store!.consume, ...(latest !== undefined && { latest }) };
      write(Buffer.from(JSON.stringify(storeLayer(new StoreLayout(store!.root), entries(task, false), options))));
    }
  }
}

/** With the attributes that a layer may have. */
function* entries(task: ReadTask, whole: boolean): Generator<LayerExport> {
  using files = openFiles(task);
  for (const each of readLayer(task, files.fd, whole)) yield { ...each, entry: layerXattrs(each.entry) };
}

function openFiles({ lower: { content } }: ReadTask): { fd: number } & Disposable {
  if (content.kind !== 'tree') return { fd: -1, [Symbol.dispose]: () => undefined };
  const fd = openSync(content.files, 'r');
  return { fd, [Symbol.dispose]: () => closeSync(fd) };
}

function readLayer(task: ReadTask, files: number, whole: boolean): Generator<LayerExport> {
  const { upper, lower: below } = task;
  const { content } = below;
  const lower: LowerLayer =
    content.kind === 'tree'
      ? openImageTree(content.index, files, contentAsker(content.files))
      : new DirectoryLayer(content.path);
  const mountPoints = new Set(task.mountPoints.map((path) => Buffer.from(path).toString('latin1')));
  if (upper.kind === 'kernel') {
    return exportOverlay({ lower, upperDir: upper.path, whole, owner: content.owner, mountPoints });
  }
  const options = {
    lower,
    lowerName: below.key,
    upperDir: upper.path,
    ...(content.owner && { owner: { uid: 0, gid: 0 } }),
  };
  return whole ? exportUnion(options) : exportLayer(options, mountPoints);
}

function write(bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += writeSync(1, bytes, at);
}
