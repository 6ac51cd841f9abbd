import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Container } from './container.ts';

/** The folder of what a container has written. */
export function writtenFolder({ folder, config }: Container): string {
  return join(folder, config.writable === 'kernel' ? 'upper' : 'layer');
}

/** Bytes on disk of what a container has written. What only its own users may look into is not counted. */
export function writableSize(container: Container): number {
  return treeSize(writtenFolder(container), new Set());
}

/** @param seen inodes with several names that have been counted */
function treeSize(path: string, seen: Set<number>): number {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined || (stat.nlink > 1 && !stat.isDirectory() && seen.has(stat.ino))) return 0;
  seen.add(stat.ino);
  // st_blocks counts 512 bytes each, whatever the file system's block is (stat(2)).
  const own = stat.isFile() || stat.isSymbolicLink() ? stat.blocks * 512 : 0;
  if (!stat.isDirectory()) return own;
  return list(path).reduce((sum, name) => sum + treeSize(join(path, name), seen), own);
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
