import { digestOf } from '../../image/digest.ts';
import { mediaTypes, type Descriptor } from '../../image/manifest.ts';
import type { Attestation } from './attestations.ts';
import type { ImageDocuments } from './image-documents.ts';

/** The index (image-spec, image-index.md) of one image for several platforms, and of what is attested of it. */
export function imageIndex(
  images: readonly Pick<ImageDocuments, 'manifest' | 'platform'>[],
  attestations: readonly Attestation[],
): { bytes: Buffer; descriptor: Descriptor } {
  const manifests = [
    ...images.map(({ manifest, platform }) => ({ ...manifest, platform })),
    ...attestations.map(({ descriptor }) => descriptor),
  ];
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests }));
  return { bytes, descriptor: { mediaType: mediaTypes.ociIndex, digest: digestOf(bytes), size: bytes.length } };
}
