/**
 * Steps of a build noted in the config of the image that it made (`--cache-to type=inline` and `type=registry`), so that
 * whoever pulls the image has them with the layers.
 */
import type { Digest } from '../../image/digest.ts';
import type { ImageStore } from '../../image/image-store.ts';
import { pullImage } from '../../image/pull.ts';
import { isStepKey, toStepRecord, type StepCache, type StepRecord } from './step-cache.ts';

const FIELD = 'dev.trun.build-cache';

/** The field for the config of an image of these layers: the steps that made them, and those that changed no file. */
export function inlineCache(records: ReadonlyMap<string, StepRecord>, diffIds: readonly Digest[]): object {
  const known = [...records].filter(([, { layer }]) => layer === undefined || diffIds.includes(layer.diffId));
  return { [FIELD]: Object.fromEntries(known) };
}

/** Pulls the image and takes its steps in; returns how many. Throws ImageError. */
export async function importImageCache(
  store: ImageStore,
  cache: StepCache,
  name: string,
  signal: AbortSignal,
): Promise<number> {
  const { image } = await pullImage(store, name, { policy: 'always', signal });
  const steps = image.config.document[FIELD];
  if (typeof steps !== 'object' || steps === null) return 0;
  const layers = new Map(image.config.diffIds.map((diffId, i) => [diffId, image.manifest.layers[i]!]));
  let count = 0;
  for (const [key, value] of Object.entries(steps)) {
    const record = toStepRecord(value);
    if (!isStepKey(key) || record === undefined) continue;
    const { layer } = record;
    const descriptor = layer && layers.get(layer.diffId);
    // The layer is there as the image has it: packed.
    if (layer !== undefined && descriptor === undefined) continue;
    cache.save(key, layer === undefined ? record : { ...record, layer: { ...layer, descriptor: descriptor! } });
    count++;
  }
  return count;
}
