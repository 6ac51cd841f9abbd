import { writeJson } from '../../state/atomic-file.ts';
import { takeLock } from '../../state/lock.ts';
import { mediaTypes } from '../manifest.ts';
import { encodeEntry, readIndex, type IndexEntry } from './index-file.ts';
import type { StoreLayout } from './layout.ts';

/** Changes the index under its lock: nobody's change is lost, and a reader sees the old one or the new one. */
export async function updateIndex(
  layout: StoreLayout,
  change: (entries: readonly IndexEntry[]) => readonly IndexEntry[],
): Promise<void> {
  const lock = await takeLock(layout.lock('index'));
  try {
    const before = readIndex(layout);
    const after = change(before);
    if (after === before) return;
    const manifests = after.map(encodeEntry);
    writeJson(layout.index, { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests });
  } finally {
    lock[Symbol.dispose]();
  }
}
