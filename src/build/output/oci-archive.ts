/**
 * `--output type=oci` and `type=docker`: an OCI image layout (image-spec, image-layout.md) as a tar archive; for Docker with
 * manifest.json beside it, as its own `save` writes. Several platforms are one index.
 */
import { digestHex, Digester, digestOf, type Digest } from '../../image/digest.ts';
import { ImageError } from '../../image/image-error.ts';
import { openBlob } from '../../image/layer/stored-layer.ts';
import { mediaTypes, type Descriptor } from '../../image/manifest.ts';
import { canonicalReference, familiarReference, type Reference } from '../../image/reference.ts';
import type { StoreLayout } from '../../image/store/layout.ts';
import type { TarEntry } from '../../image/unpack/tar-reader.ts';
import { encodeTarEntry, tarEnd, tarPadding } from '../../image/unpack/tar-writer.ts';
import type { Attestation } from './attestations.ts';
import type { ImageDocuments } from './image-documents.ts';
import { imageIndex } from './image-index.ts';

export async function* ociArchive(
  layout: StoreLayout,
  images: readonly ImageDocuments[],
  names: readonly Reference[],
  isDocker: boolean,
  attestations: readonly Attestation[] = [],
): AsyncGenerator<Buffer> {
  const written = new Set<Digest>();
  // Some unpackers give directories that no entry states to root, which an ordinary user cannot.
  for (const path of ['blobs', 'blobs/sha256']) yield encodeTarEntry(entry('directory', path, 0));
  yield* file('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  for (const { configBytes, manifestBytes, layers } of images) {
    for (const layer of layers) if (isNew(layer.digest)) yield* layerBlob(layout, layer);
    for (const document of [configBytes, manifestBytes]) if (isNew(digestOf(document))) yield* blob(document);
  }
  let top = images.map(({ manifest, platform }): Descriptor => ({ ...manifest, platform }));
  for (const document of attestations.flatMap(({ blobs, manifest }) => [...blobs, manifest]))
    if (isNew(digestOf(document))) yield* blob(document);
  if (images.length > 1 || attestations.length > 0) {
    const index = imageIndex(images, attestations);
    yield* blob(index.bytes);
    top = [index.descriptor];
  }
  const named = names.map(canonicalReference).flatMap((name) =>
    top.map((descriptor) => ({
      ...descriptor,
      annotations: {
        'io.containerd.image.name': name,
        'org.opencontainers.image.ref.name': name.slice(name.lastIndexOf(':') + 1),
      },
    })),
  );
  const manifests = named.length > 0 ? named : top;
  yield* file(
    'index.json',
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests })),
  );
  if (isDocker)
    yield* file('manifest.json', Buffer.from(JSON.stringify(images.map((image) => dockerItem(image, names)))));
  yield tarEnd;

  function isNew(digest: Digest): boolean {
    const is = !written.has(digest);
    written.add(digest);
    return is;
  }
}

function dockerItem({ id, layers }: ImageDocuments, names: readonly Reference[]): object {
  return {
    Config: blobPath(id),
    RepoTags: names.map(familiarReference),
    Layers: layers.map(({ digest }) => blobPath(digest)),
  };
}

function* blob(bytes: Buffer): Generator<Buffer> {
  yield* file(blobPath(digestOf(bytes)), bytes);
}

/** Checked on the way: what is not what it was must not leave as if it were. */
async function* layerBlob(layout: StoreLayout, { digest, size }: Descriptor): AsyncGenerator<Buffer> {
  yield encodeTarEntry(entry('file', blobPath(digest), size));
  const digester = new Digester();
  let left = size;
  for await (const chunk of openBlob(layout, { digest }) as AsyncIterable<Buffer>) {
    digester.update(chunk);
    left -= chunk.length;
    if (left < 0) break;
    yield chunk;
  }
  if (left !== 0 || digester.digest() !== digest) {
    throw new ImageError('DAMAGED', `${digest} in the image store is damaged: run 'trun image verify'`);
  }
  yield tarPadding(size);
}

function* file(path: string, content: Buffer): Generator<Buffer> {
  yield encodeTarEntry(entry('file', path, content.length));
  yield content;
  yield tarPadding(content.length);
}

function blobPath(digest: Digest): string {
  return `blobs/sha256/${digestHex(digest)}`;
}

function entry(type: 'file' | 'directory', path: string, size: number): TarEntry {
  return {
    ...{ type, path: Buffer.from(path), linkPath: Buffer.alloc(0), mode: type === 'file' ? 0o644 : 0o755, size },
    ...{ uid: 0, gid: 0, mtime: 0, mtimeNsec: 0, major: 0, minor: 0, xattrs: [] },
  };
}
