/** What a step reads, as a hash: names, types, modes, owners, contents and links, but no times. */
import { createHash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { readContent } from '../../image/layer/layer-tar.ts';
import type { CopiedEntry } from './copy-files.ts';

/** The hash of entries in their order. Contents that nobody knows the hash of are read. */
export function entriesHash(entries: Iterable<CopiedEntry>): string {
  const hash = createHash('sha256');
  for (const { entry, open } of entries) {
    const content = entry.contentId ?? (open === undefined ? undefined : fileHash(open, entry.size));
    hash.update(
      JSON.stringify([
        entry.path.toString('latin1'),
        entry.type,
        entry.mode,
        entry.uid,
        entry.gid,
        entry.rdev,
        entry.size,
        entry.target?.toString('latin1') ?? '',
        content?.toString('hex') ?? '',
        entry.xattrs.map(({ name, value }) => [name.toString('latin1'), value.toString('base64')]),
      ]),
    );
  }
  return hash.digest('hex');
}

function fileHash(open: () => number, size: number): Buffer {
  const hash = createHash('sha256');
  const fd = open();
  try {
    for (const chunk of readContent(fd, size)) hash.update(chunk);
  } finally {
    closeSync(fd);
  }
  return hash.digest();
}
