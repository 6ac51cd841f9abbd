/**
 * `save`: images of the store as one archive. `docker-archive` is what Docker 25 and later write: an OCI layout with plain layers, and
 * manifest.json beside it for everybody else. `oci-archive` has the manifests and packed layers as they are, digests kept.
 */
import { readFileSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { Digester, digestHex, digestOf, type Digest } from '../digest.ts';
import { ImageError } from '../image-error.ts';
import type { ImageStore } from '../image-store.ts';
import { openBlob } from '../layer/stored-layer.ts';
import { mediaTypes, ociLayerTypes, type Descriptor } from '../manifest.ts';
import { findSomewhere } from '../queries/shared-images.ts';
import type { IndexedImage } from '../queries/stored-images.ts';
import { familiarReference, parseReference } from '../reference.ts';
import { decompress } from '../unpack/decompress.ts';
import type { TarEntry } from '../unpack/tar-reader.ts';
import { encodeTarEntry, tarEnd, tarPadding } from '../unpack/tar-writer.ts';

export type ArchiveFormat = 'docker-archive' | 'oci-archive';

interface SavedImage {
  /** The one that has it. */
  readonly store: ImageStore;
  readonly image: IndexedImage;
  /** Canonical names with a tag. */
  readonly names: string[];
}

/**
 * The archive of images, by name, id or the start of an id; a name takes that one along, an id none. Throws NOT_FOUND before
 * the first byte, DAMAGED at any.
 */
export async function* saveImages(
  store: ImageStore,
  texts: readonly string[],
  format: ArchiveFormat,
): AsyncGenerator<Buffer> {
  const images = chooseImages(store, texts);
  const writer = new ArchiveWriter();
  // Some unpackers give directories that no entry states to root, which an ordinary user cannot.
  for (const path of ['blobs', 'blobs/sha256']) yield encodeTarEntry(archiveEntry('directory', path, 0o755, 0));
  yield* writer.bytes('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  const manifests: object[] = [];
  const items: object[] = [];
  for (const { store: owner, image, names } of images.values()) {
    const { manifest, config, manifestDigest } = image.record;
    const configBytes = readFileSync(owner.layout.blob(manifest.config.digest));
    yield* writer.blob(configBytes);
    const layers: Descriptor[] = [];
    for (const [index, layer] of manifest.layers.entries()) {
      const diffId = config.diffIds[index]!;
      if (format === 'oci-archive') {
        yield* writer.stream(layer, () => openBlob(owner.layout, layer));
        layers.push(layer);
      } else {
        layers.push(yield* writer.plainLayer(owner, layer, diffId));
      }
    }
    const bytes = manifestBytes(owner, image, format, layers);
    yield* writer.blob(bytes);
    const descriptor = {
      mediaType: format === 'oci-archive' ? manifest.mediaType : mediaTypes.ociManifest,
      digest: format === 'oci-archive' ? manifestDigest : digestOf(bytes),
      size: bytes.length,
    };
    const named = names.map((name) => ({
      ...descriptor,
      annotations: { 'io.containerd.image.name': name, 'org.opencontainers.image.ref.name': name },
    }));
    manifests.push(...(named.length > 0 ? named : [descriptor]));
    items.push({
      Config: blobName(manifest.config.digest),
      RepoTags: names.map((name) => familiarReference(parseReference(name))),
      Layers: layers.map(({ digest }) => blobName(digest)),
    });
  }
  const index = { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests };
  yield* writer.bytes('index.json', Buffer.from(JSON.stringify(index)));
  if (format === 'docker-archive') yield* writer.bytes('manifest.json', Buffer.from(JSON.stringify(items)));
  yield tarEnd;
}

function manifestBytes(
  store: ImageStore,
  { record: { manifest, manifestDigest } }: IndexedImage,
  format: ArchiveFormat,
  layers: readonly Descriptor[],
): Buffer {
  if (format === 'oci-archive') return readFileSync(store.layout.blob(manifestDigest));
  const { digest, size } = manifest.config;
  const config = { mediaType: mediaTypes.ociConfig, digest, size };
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers }));
}

function chooseImages(store: ImageStore, texts: readonly string[]): Map<Digest, SavedImage> {
  const chosen = new Map<Digest, SavedImage>();
  for (const text of texts) {
    const { store: owner, found } = findSomewhere(store, text);
    const saved = chosen.get(found.image.id) ?? { store: owner, image: found.image, names: [] };
    chosen.set(found.image.id, saved);
    const name = found.entry?.name;
    // By an id Docker takes none of its names.
    if (name !== undefined && !name.includes('@') && !saved.names.includes(name)) saved.names.push(name);
  }
  return chosen;
}

function blobName(digest: Digest): string {
  return `blobs/sha256/${digestHex(digest)}`;
}

class ArchiveWriter {
  readonly #written = new Set<Digest>();
  readonly #sizes = new Map<Digest, number>();

  *bytes(path: string, content: Buffer): Generator<Buffer> {
    yield header(path, content.length);
    yield content;
    yield tarPadding(content.length);
  }

  *blob(content: Buffer): Generator<Buffer> {
    const digest = digestOf(content);
    if (this.#written.has(digest)) return;
    this.#written.add(digest);
    yield* this.bytes(blobName(digest), content);
  }

  /** A blob that is checked while it goes. */
  async *stream(
    { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
    open: () => AsyncIterable<Buffer>,
  ): AsyncGenerator<Buffer> {
    if (this.#written.has(digest)) return;
    this.#written.add(digest);
    yield header(blobName(digest), size);
    const digester = new Digester();
    let left = size;
    for await (const chunk of open()) {
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

  /** A layer unpacked. Its size has to be known before its first byte: of one that came packed only unpacking tells. */
  async *plainLayer(store: ImageStore, layer: Descriptor, diffId: Digest): AsyncGenerator<Buffer, Descriptor> {
    const size = await this.#plainSize(store, layer, diffId);
    yield* this.stream({ digest: diffId, size }, () => openPlain(store, layer));
    return { mediaType: ociLayerTypes.tar, digest: diffId, size };
  }

  async #plainSize(store: ImageStore, layer: Descriptor, diffId: Digest): Promise<number> {
    if (layer.digest === diffId) return layer.size;
    const known = this.#sizes.get(diffId);
    if (known !== undefined) return known;
    let size = 0;
    for await (const chunk of openPlain(store, layer)) size += chunk.length;
    this.#sizes.set(diffId, size);
    return size;
  }
}

function openPlain({ layout }: ImageStore, layer: Descriptor): AsyncIterable<Buffer> {
  const blob: Readable = openBlob(layout, layer);
  return decompress(blob as AsyncIterable<Buffer>);
}

function header(path: string, size: number): Buffer {
  return encodeTarEntry(archiveEntry('file', path, 0o644, size));
}

function archiveEntry(type: TarEntry['type'], path: string, mode: number, size: number): TarEntry {
  return {
    ...{ type, path: Buffer.from(path), linkPath: Buffer.alloc(0), mode, size },
    ...{ uid: 0, gid: 0, mtime: 0, mtimeNsec: 0, major: 0, minor: 0, xattrs: [] },
  };
}
