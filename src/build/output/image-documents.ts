/** An image as the documents and blobs that archives and registries get, whether the store has an image of it or not. */
import { ociDescriptor } from '../../image/commit-image.ts';
import { digestOf, type Digest } from '../../image/digest.ts';
import { mediaTypes, type Descriptor } from '../../image/manifest.ts';
import type { Platform } from '../../image/platform.ts';
import { inlineCache } from '../cache/image-cache.ts';
import { createdAt, type BuildSession } from '../session.ts';
import { configDocument } from '../stage/image-draft.ts';
import type { StageResult } from '../stage/stage-result.ts';
import { rewriteLayers } from './rewrite-layers.ts';

export interface ImageDocuments {
  readonly platform: Platform;
  readonly config: object;
  readonly configBytes: Buffer;
  readonly manifestBytes: Buffer;
  readonly id: Digest;
  readonly manifest: Descriptor;
  readonly layers: readonly Descriptor[];
}

export function imageDocuments(
  session: BuildSession,
  platform: Platform,
  result: StageResult,
  annotations: Readonly<Record<string, string>>,
): ImageDocuments {
  const { request } = session;
  const chain = rewriteLayers(session, result);
  const draft = structuredClone(result.draft);
  draft.config.Labels = { ...draft.config.Labels, ...request.labels };
  const created = request.epoch === undefined ? (result.created ?? createdAt(request)) : createdAt(request);
  const diffIds = chain.map(({ diffId }) => diffId);
  const config = { ...configDocument(draft, diffIds, created), ...cacheField(session, result) };
  const configBytes = Buffer.from(JSON.stringify(config));
  const id = digestOf(configBytes);
  const layers = chain.map(({ descriptor }) => ociDescriptor(descriptor));
  const manifestBytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.ociManifest,
      config: { mediaType: mediaTypes.ociConfig, digest: id, size: configBytes.length },
      layers,
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    }),
  );
  const manifest = { mediaType: mediaTypes.ociManifest, digest: digestOf(manifestBytes), size: manifestBytes.length };
  return { platform, config, configBytes, manifestBytes, id, manifest, layers };
}

/** The steps, where the image is to carry them for later builds. */
function cacheField({ request, records }: BuildSession, { layers }: StageResult): object {
  const isWanted =
    request.cacheTo.some(({ type }) => type !== 'local') || request.buildArgs.get('BUILDKIT_INLINE_CACHE') === '1';
  if (!isWanted) return {};
  return inlineCache(
    records,
    layers.map(({ diffId }) => diffId),
  );
}
