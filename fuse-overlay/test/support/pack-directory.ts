/** Makes a one-layer image tree of a live directory: contents into a store, entries into a list, the list into an index. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import {
  LayerListWriter,
  contentPath,
  layerEntry,
  makeDevice,
  mergeLayers,
  type LayerEntry,
  type LayerEntryType,
} from '../../src/index.ts';

export interface PackedTree {
  index: string;
  files: string;
}

export interface PackOptions {
  /** Owner of every entry; default: that of the files. */
  readonly owner?: { uid: number; gid: number };
  readonly xattrs?: (path: string) => LayerEntry['xattrs'];
}

/** Packs `source` into `${out}/files` and `${out}/index`. */
export function packDirectory(source: string, out: string, options: PackOptions = {}): PackedTree {
  const files = join(out, 'files');
  mkdirSync(files, { recursive: true });
  const writer = new LayerListWriter();
  const seen = new Map<string, Buffer>();
  pack(Buffer.from(source), Buffer.alloc(0));
  const list = join(out, 'layer');
  writer.commit(list);
  mergeLayers([list], join(out, 'index'));
  return { index: join(out, 'index'), files };

  function pack(host: Buffer, path: Buffer): void {
    const stat = lstatSync(host, { bigint: true });
    const key = `${stat.dev}:${stat.ino}`;
    const first = seen.get(key);
    const common = {
      path,
      mode: Number(stat.mode & 0o7777n),
      uid: options.owner?.uid ?? Number(stat.uid),
      gid: options.owner?.gid ?? Number(stat.gid),
      mtime: Number(stat.mtimeNs / 1_000_000_000n),
      mtimeNsec: Number(stat.mtimeNs % 1_000_000_000n),
      xattrs: options.xattrs?.(path.toString()) ?? [],
    };
    if (first && !stat.isDirectory()) {
      writer.add(layerEntry({ path, type: 'hardlink', target: first }));
      return;
    }
    seen.set(key, path);
    writer.add(layerEntry({ ...common, ...content(host, stat) }));
    if (!stat.isDirectory()) return;
    for (const name of readdirSync(host, { encoding: 'buffer' })) {
      pack(
        Buffer.concat([host, Buffer.from('/'), name]),
        path.length > 0 ? Buffer.concat([path, Buffer.from('/'), name]) : name,
      );
    }
  }

  function content(host: Buffer, stat: import('node:fs').BigIntStats): Partial<LayerEntry> & { type: LayerEntryType } {
    if (stat.isDirectory()) return { type: 'directory' };
    if (stat.isSymbolicLink()) {
      return { type: 'symlink', target: readlinkSync(host, { encoding: 'buffer' }) };
    }
    if (stat.isFIFO()) return { type: 'fifo' };
    if (stat.isSocket()) return { type: 'socket' };
    if (!stat.isFile()) {
      const rdev = makeDevice(Number(stat.rdev >> 8n), Number(stat.rdev & 0xffn));
      return { type: stat.isBlockDevice() ? 'block' : 'character', rdev };
    }
    const contentId = createHash('sha256').update(readFileSync(host)).digest();
    const stored = join(files, contentPath(contentId));
    if (!existsSync(stored)) {
      mkdirSync(dirname(stored), { recursive: true });
      copyFileSync(host, stored);
      chmodSync(stored, 0o644);
    }
    return { type: 'file', size: Number(stat.size), contentId };
  }
}
