/** The whole union served by us: for hosts whose kernel gives no overlay to users. Everything on disk is the user's own. */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureMount, removeMount } from '../image-server/client.ts';
import { layerReading } from './read-layer.ts';
import { removeTrees } from './remove-tree.ts';
import type { WritableLayer } from './writable-layer.ts';

export const fuseUnion: WritableLayer = {
  kind: 'fuse',
  ...layerReading('fuse', 'layer'),

  create(folder) {
    mkdirSync(join(folder, 'layer'), { mode: 0o700 });
  },

  async prepare({ paths, holder, id, folder, lower, quota }) {
    const upper = join(folder, 'layer');
    const content = {
      kind: 'union',
      lower: lower.content,
      lowerName: lower.key,
      upper,
      quota,
      owner: lower.content.owner,
    } as const;
    return { kind: 'folder', path: await ensureMount(paths, holder, id, content) };
  },

  release: ({ paths, id }) => removeMount(paths, id),

  async remove({ paths, holder, id, folder }) {
    await removeMount(paths, id);
    const layer = join(folder, 'layer');
    try {
      rmSync(layer, { recursive: true, force: true });
    } catch {
      // Too deep for paths, or made unreadable.
      await removeTrees(holder, [layer]);
    }
  },
};
