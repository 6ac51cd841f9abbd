/** Reading single small files of what lies below a writable layer, without a mount. */
import { closeSync, openSync, readSync } from 'node:fs';
import { Attributes, DirectoryLayer, FileType, type LowerLayer, Name, openImageTree } from 'fuse-overlay';
import { contentAsker } from '../state/wanted-contents.ts';
import type { Lower } from './writable-layer.ts';

/** As the kernel's: more links than this on the way are a loop (path_resolution(7)). */
const MAX_LINKS = 40;

/**
 * The text of a regular file, at most `limit` bytes long; undefined where there is none. Links are followed within the
 * layer, whose root is the end of every `..`.
 */
export function readLowerText({ content }: Lower, path: string, limit: number): string | undefined {
  if (content.kind === 'directory') {
    const layer = new DirectoryLayer(content.path);
    try {
      return readText(layer, path, limit);
    } finally {
      layer.close();
    }
  }
  const files = openSync(content.files, 'r');
  try {
    const layer = openImageTree(content.index, files, contentAsker(content.files));
    try {
      return readText(layer, path, limit);
    } finally {
      layer.close();
    }
  } finally {
    closeSync(files);
  }
}

function readText(layer: LowerLayer, path: string, limit: number): string | undefined {
  const node = resolvePath(layer, path);
  if (node === undefined) return undefined;
  const attributes = new Attributes();
  if (layer.getattr(node, attributes) < 0 || fileType(attributes) !== FileType.file || attributes.size > limit)
    return undefined;
  const fd = layer.open(node);
  if (fd < 0) return undefined;
  try {
    const content = Buffer.alloc(attributes.size);
    return content.toString('utf8', 0, readSync(fd, content, 0, content.length, 0));
  } finally {
    closeSync(fd);
  }
}

function resolvePath(layer: LowerLayer, path: string): number | undefined {
  const names = path.split('/').reverse();
  const folders = [layer.root];
  const attributes = new Attributes();
  for (let links = 0; ;) {
    const name = names.pop();
    const folder = folders.at(-1)!;
    if (name === undefined) return folder;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      if (folders.length > 1) folders.pop();
      continue;
    }
    const node = layer.lookup(folder, new Name(Buffer.from(name)));
    if (node < 0 || layer.getattr(node, attributes) < 0) return undefined;
    if (fileType(attributes) !== FileType.symlink) {
      folders.push(node);
      continue;
    }
    const target = layer.readlink(node);
    if (typeof target === 'number' || ++links > MAX_LINKS) return undefined;
    const text = target.toString('utf8');
    if (text.startsWith('/')) folders.length = 1;
    names.push(...text.split('/').reverse());
  }
}

function fileType({ mode }: Attributes): number {
  return mode & 0o170000;
}
