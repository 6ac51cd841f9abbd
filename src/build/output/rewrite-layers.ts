/** `rewrite-timestamp`: no file of a layer that the build has made is younger than SOURCE_DATE_EPOCH. */
import { storeLayer } from '../../image/layer/store-layer.ts';
import { listedEntries } from '../../image/layer/stored-layer.ts';
import type { BuildSession } from '../session.ts';
import type { ChainLayer } from '../source/layer-chain.ts';
import type { StageResult } from '../stage/stage-result.ts';

/** The layers of the image; a base image's stay what they are. */
export function rewriteLayers(
  { request, store }: BuildSession,
  { layers, baseLayers }: StageResult,
): readonly ChainLayer[] {
  const { epoch, rewriteTimestamp } = request;
  if (!rewriteTimestamp || epoch === undefined) return layers;
  return layers.map((layer, i) => {
    if (i < baseLayers) return layer;
    const { layout } = store;
    return storeLayer(layout, listedEntries(layout.layerList(layer.diffId), layout.files), { latest: epoch });
  });
}
