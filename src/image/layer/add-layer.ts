import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { ImageStore } from '../image-store.ts';
import { unpackArchive } from '../unpack/unpack-layer.ts';
import { describeFailure, unpackError } from '../unpack/unpack-failure.ts';
import { listedEntries } from './stored-layer.ts';
import { storeLayer, type NewLayer, type StoreLayerOptions } from './store-layer.ts';

/**
 * Makes a layer of a tar archive (plain, gzip or zstd) whose exact bytes nobody asks for: its contents are stored, and the layer is
 * the archive that our writer makes of its entries. `shownAs` names the archive in errors. The caller announces it
 * (`beginAddition`) until something needs it. Throws ImageError: INVALID, NO_SPACE, DAMAGED.
 */
export async function addLayer(
  { layout, limits }: ImageStore,
  archive: AsyncIterable<Buffer>,
  shownAs: string,
  options: Pick<StoreLayerOptions, 'latest'> = {},
): Promise<NewLayer> {
  const temporary = join(layout.temporary, `list-${process.pid}-${randomBytes(6).toString('hex')}`);
  try {
    const { list } = await unpackArchive(archive, { files: layout.files, temporary: layout.temporary, limits }, ignore);
    list.commit(temporary);
    return storeLayer(layout, listedEntries(temporary, layout.files), options);
  } catch (error) {
    throw unpackError(describeFailure(error), shownAs, 'read');
  } finally {
    rmSync(temporary, { force: true });
  }
}

function ignore(): void {
  // Nobody watches.
}
