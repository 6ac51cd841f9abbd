import { lstatSync, readdirSync } from 'node:fs';

/** Bytes of all files below a folder, hard links once; what goes away meanwhile is not counted. */
export function folderSize(folder: string): number {
  const seen = new Set<string>();
  let bytes = 0;
  const pending = [Buffer.from(folder)];
  for (let path = pending.pop(); path; path = pending.pop()) {
    for (const name of list(path)) {
      const child = Buffer.concat([path, Buffer.from('/'), name]);
      const stat = lstatSync(child, { throwIfNoEntry: false });
      if (stat?.isDirectory() === true) pending.push(child);
      else if (stat?.isFile() === true || stat?.isSymbolicLink() === true) {
        const key = `${stat.dev}:${stat.ino}`;
        if (stat.nlink === 1 || !seen.has(key)) bytes += stat.size;
        if (stat.nlink > 1) seen.add(key);
      }
    }
  }
  return bytes;
}

function list(folder: Buffer): Buffer[] {
  try {
    return readdirSync(folder, 'buffer');
  } catch {
    return [];
  }
}
