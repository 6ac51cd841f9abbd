/** An OCI image layout in an archive (image-spec, image-layout.md): everything goes in as it is and keeps its digest. */
import { enterImage } from '../commit-image.ts';
import { parseImageConfig } from '../config.ts';
import { digestHex, digestOf, type Digest } from '../digest.ts';
import { ImageError } from '../image-error.ts';
import {
  CONFIG_LIMIT,
  MANIFEST_LIMIT,
  parseManifest,
  selectManifest,
  type Descriptor,
  type Manifest,
} from '../manifest.ts';
import { familiarReference, parseReference, withDefaultTag, type Reference } from '../reference.ts';
import { hasBlob } from '../layer/stored-layer.ts';
import { hasLayerList } from '../store/durability.ts';
import { canRebuild, keepMember, unpackMember, type Load } from './load-layer.ts';
import type { LoadedImage } from './load-images.ts';

/** Indexes that lead to indexes: more than this many are a joke. */
const DEPTH = 4;

/** Names by manifest: Docker lists a manifest once for each of them. */
export async function loadOciImages(load: Load): Promise<LoadedImage[]> {
  const index = parseManifest(load.files.read('index.json'), undefined, 'the archive');
  if (index.kind !== 'list') throw new ImageError('INVALID', "The archive's index.json is no index");
  const names = new Map<Digest, { descriptor: Descriptor; references: Reference[] }>();
  for (const descriptor of index.manifests) {
    const named = names.get(descriptor.digest) ?? { descriptor, references: [] };
    const reference = referenceOf(descriptor);
    if (reference) named.references.push(reference);
    names.set(descriptor.digest, named);
  }
  const loaded: LoadedImage[] = [];
  for (const { descriptor, references } of names.values()) {
    const found = findManifest(load, descriptor);
    if (found) loaded.push(await loadManifest(load, found, references));
  }
  return loaded;
}

interface FoundManifest {
  readonly bytes: Buffer;
  readonly manifest: Manifest;
}

/** The manifest that a descriptor leads to; of several platforms ours. Undefined for what is beside images: attestations. */
function findManifest(load: Load, descriptor: Descriptor): FoundManifest | undefined {
  let current = descriptor;
  for (let depth = 0; depth < DEPTH; depth++) {
    const bytes = readBlob(load, current.digest, MANIFEST_LIMIT);
    const document = parseManifest(bytes, current.mediaType, shownAs(descriptor));
    if (document.kind === 'manifest') return { bytes, manifest: document };
    current = selectManifest(document, load.platform, shownAs(descriptor));
  }
  throw new ImageError('INVALID', `The index of ${shownAs(descriptor)} leads to indexes only`);
}

async function loadManifest(
  load: Load,
  { bytes, manifest }: FoundManifest,
  references: readonly Reference[],
): Promise<LoadedImage> {
  const { store, files } = load;
  const config = readBlob(load, manifest.config.digest, CONFIG_LIMIT);
  const { diffIds, platform } = parseImageConfig(config, `image ${manifest.config.digest}`);
  if (platform.os !== 'linux') {
    throw new ImageError('UNSUPPORTED', `The archive has an image for ${platform.os}, not for linux`);
  }
  for (const [index, layer] of manifest.layers.entries()) {
    const diffId = diffIds[index];
    if (diffId === undefined || (hasLayerList(store.layout, diffId) && hasBlob(store.layout, layer))) continue;
    const file = files.get(blobName(layer.digest));
    if (file.digest !== layer.digest) throw damaged(layer.digest);
    await unpackMember(load, file, diffId);
    if (!canRebuild(store.layout, layer.digest, diffId)) keepMember(load, file);
  }
  const { mediaType, layers } = manifest;
  const image = await enterImage(store, { manifest: { bytes, mediaType, layers }, config, references });
  return { id: image.id, names: references.map(familiarReference) };
}

function readBlob({ files }: Load, digest: Digest, limit: number): Buffer {
  const bytes = files.read(blobName(digest), limit);
  if (digestOf(bytes) === digest) return bytes;
  throw damaged(digest);
}

function damaged(digest: Digest): ImageError {
  return new ImageError('INVALID', `The archive is damaged: a blob is not ${digest} as its name says`);
}

function blobName(digest: Digest): string {
  return `blobs/sha256/${digestHex(digest)}`;
}

function shownAs({ digest }: Descriptor): string {
  return `image ${digest}`;
}

/** containerd's annotation is a whole name; OCI's may be that or a bare tag, which names no repository. */
function referenceOf({ annotations = {} }: Descriptor): Reference | undefined {
  const text = annotations['io.containerd.image.name'] ?? annotations['org.opencontainers.image.ref.name'];
  if (text === undefined || !/[/:]/.test(text)) return undefined;
  try {
    const reference = withDefaultTag(parseReference(text));
    return reference.digest === undefined ? reference : undefined;
  } catch {
    return undefined;
  }
}
