/** The kernel's overlayfs over the FUSE mount of an image: creates, writes and deletes at the kernel's speed. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ensureMount } from '../image-server/client.ts';
import { removeTrees } from './remove-tree.ts';
import type { WritableLayer } from './writable-layer.ts';

export const kernelOverlay: WritableLayer = {
  kind: 'kernel',

  create(folder) {
    // The root of an overlay has the upper folder's mode.
    mkdirSync(join(folder, 'upper'), { mode: 0o755 });
    mkdirSync(join(folder, 'work'), { mode: 0o700 });
  },

  async prepare({ paths, holder, folder, lower }) {
    const mounted = await ensureMount(paths, holder, lower.key, lower.content);
    return { kind: 'overlay', lower: mounted, folder, upper: 'upper', work: 'work' };
  },

  // The overlay is gone with the container's mount namespace.
  release: () => Promise.resolve(),

  remove: ({ holder, folder }) => removeTrees(holder, [join(folder, 'upper'), join(folder, 'work')]),
};
