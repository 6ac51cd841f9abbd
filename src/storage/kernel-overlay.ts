/** The kernel's overlayfs over the FUSE mount of an image, or a plain copy of it: creates, writes and deletes at the kernel's speed. */
import { mkdirSync, rmdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../base/error-code.ts';
import { ensureLower } from './plain-copy.ts';
import { layerReading } from './read-layer.ts';
import { removeTrees } from './remove-tree.ts';
import type { WritableLayer } from './writable-layer.ts';

export const kernelOverlay: WritableLayer = {
  kind: 'kernel',
  ...layerReading('kernel', 'upper'),

  create(folder) {
    // The root of an overlay has the upper folder's mode.
    mkdirSync(join(folder, 'upper'), { mode: 0o755 });
    mkdirSync(join(folder, 'work'), { mode: 0o700 });
  },

  async prepare({ paths, holder, folder, lower, warn }) {
    const shown = await ensureLower(paths, holder, lower, warn);
    return { kind: 'overlay', lower: shown, folder, upper: 'upper', work: 'work' };
  },

  // The overlay is gone with the container's mount namespace.
  release: () => Promise.resolve(),

  async remove({ holder, folder }) {
    const folders = [join(folder, 'upper'), join(folder, 'work')];
    if (!(await removeOwn(folders))) await removeTrees(holder, folders);
  },
};

/** A container that wrote nothing under other ids leaves what its user can remove: no process inside is needed. */
async function removeOwn([upper, work]: readonly string[]): Promise<boolean> {
  try {
    // overlayfs leaves it with no permissions at all, so it cannot be looked into; it is empty as a rule.
    rmdirSync(join(work!, 'work'));
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') return false;
  }
  try {
    for (const folder of [upper!, work!]) await rm(folder, { recursive: true, force: true });
    return true;
  } catch {
    return false;
  }
}
