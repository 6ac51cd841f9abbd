/**
 * `--cache-to type=local` and `--cache-from type=local`: a folder with the steps of a build, `steps.json`, and their layers
 * as plain archives, `layers/HEX.tar`. What comes in is checked: a layer is what its name says or is not taken.
 */
import { createReadStream, createWriteStream, existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { digestHex } from '../../image/digest.ts';
import { ImageError } from '../../image/image-error.ts';
import type { ImageStore } from '../../image/image-store.ts';
import { addLayer } from '../../image/layer/add-layer.ts';
import { openBlob } from '../../image/layer/stored-layer.ts';
import { readJson, writeFileAtomic } from '../../state/atomic-file.ts';
import { isStepKey, toStepRecord, type StepCache, type StepRecord } from './step-cache.ts';

export async function exportFolderCache(
  { layout }: ImageStore,
  folder: string,
  records: ReadonlyMap<string, StepRecord>,
): Promise<void> {
  const layers = join(folder, 'layers');
  mkdirSync(layers, { recursive: true });
  for (const { layer } of records.values()) {
    if (layer === undefined) continue;
    const path = join(layers, `${digestHex(layer.diffId)}.tar`);
    if (existsSync(path)) continue;
    const draft = `${path}.${process.pid}.tmp`;
    await pipeline(openBlob(layout, layer.descriptor), createWriteStream(draft));
    renameSync(draft, path);
  }
  writeFileAtomic(join(folder, 'steps.json'), JSON.stringify(Object.fromEntries(records)));
}

/** Returns how many steps have been taken in. Throws where the folder cannot be read. */
export async function importFolderCache(store: ImageStore, cache: StepCache, folder: string): Promise<number> {
  const steps = readJson<Record<string, unknown>>(join(folder, 'steps.json'));
  if (steps === undefined) throw new ImageError('NOT_FOUND', `could not read ${join(folder, 'steps.json')}: not found`);
  let count = 0;
  for (const [key, value] of Object.entries(steps)) {
    const record = toStepRecord(value);
    if (!isStepKey(key) || record === undefined || cache.find(key) !== undefined) continue;
    const { layer } = record;
    if (layer !== undefined) {
      const path = join(folder, 'layers', `${digestHex(layer.diffId)}.tar`);
      if (!existsSync(path)) continue;
      const { diffId } = await addLayer(store, createReadStream(path), path);
      if (diffId !== layer.diffId) throw new ImageError('DAMAGED', `${path} is damaged: it is ${diffId}`);
    }
    cache.save(key, record);
    count++;
  }
  return count;
}
