/**
 * `index.json`: which images exist, and under which names. An image is here or it is nowhere, so replacing this file is what
 * commits a pull, a tag or a removal.
 *
 * Each name has a descriptor of its own that leads to the image's manifest. Names are canonical references with a tag
 * (`docker.io/library/debian:12`) or a digest (`docker.io/library/debian@sha256:…`, what the registry called it); an image that
 * lost its names keeps one descriptor without. skopeo looks names up in `org.opencontainers.image.ref.name`, containerd in
 * `io.containerd.image.name`.
 */
import { readJson } from '../../state/atomic-file.ts';
import { parseDigest, type Digest } from '../digest.ts';
import { ImageError, reasonOf } from '../image-error.ts';
import { isObject, optionalString, optionalStringMap, requiredSize } from '../json.ts';
import { mediaTypes } from '../manifest.ts';
import type { StoreLayout } from './layout.ts';

const nameKeys = ['org.opencontainers.image.ref.name', 'io.containerd.image.name'] as const;
const taggedKey = 'dev.trun.tagged-at';
const sizeKey = 'dev.trun.unpacked-size';

export interface IndexEntry {
  readonly mediaType: string;
  /** Of the manifest. */
  readonly digest: Digest;
  /** Bytes of the manifest. */
  readonly size: number;
  readonly name?: string;
  /** When the name was given, RFC 3339. */
  readonly taggedAt?: string;
  /** Bytes of all layers' files; absent where another program added the image. */
  readonly unpackedSize?: number;
}

export function readIndex(layout: StoreLayout): readonly IndexEntry[] {
  let document: unknown;
  try {
    document = readJson(layout.index);
  } catch (error) {
    throw new ImageError('DAMAGED', `The image store's index is damaged: ${reasonOf(error)}`, { cause: error });
  }
  if (document === undefined) return [];
  if (!isObject(document) || !Array.isArray(document['manifests'])) {
    throw new ImageError('DAMAGED', `The image store's index is damaged: ${layout.index} is not an OCI index`);
  }
  return document['manifests'].map((each) => decodeEntry(each, layout.index));
}

/**
 * Gives an image a name, taking it from whoever had it. The former owner stays, nameless if this was its last. `image` carries
 * the manifest's descriptor.
 */
export function nameImage(
  entries: readonly IndexEntry[],
  image: Pick<IndexEntry, 'mediaType' | 'digest' | 'size' | 'unpackedSize'>,
  name: string,
): readonly IndexEntry[] {
  const former = entries.find((entry) => entry.name === name);
  if (former?.digest === image.digest) return entries;
  const { mediaType, digest, size, unpackedSize } = image;
  const named = {
    mediaType,
    digest,
    size,
    name,
    taggedAt: new Date().toISOString(),
    ...(unpackedSize !== undefined && { unpackedSize }),
  };
  const others = unnameImage(entries, name).filter((entry) => entry.digest !== digest || entry.name !== undefined);
  return [...others, named];
}

/** Takes a name away. Its image stays, nameless if this was its last. */
export function unnameImage(entries: readonly IndexEntry[], name: string): readonly IndexEntry[] {
  const entry = entries.find((each) => each.name === name);
  if (!entry) return entries;
  const others = entries.filter((each) => each !== entry);
  if (others.some(({ digest }) => digest === entry.digest)) return others;
  const { mediaType, digest, size, unpackedSize } = entry;
  return [...others, { mediaType, digest, size, ...(unpackedSize !== undefined && { unpackedSize }) }];
}

function decodeEntry(value: unknown, path: string): IndexEntry {
  const what = `The image store's index ${path}`;
  if (!isObject(value)) throw new ImageError('DAMAGED', `${what} has a malformed descriptor`);
  const annotations = optionalStringMap(value['annotations'], `${what}: annotations`) ?? {};
  const name = annotations[nameKeys[1]] ?? annotations[nameKeys[0]];
  const taggedAt = annotations[taggedKey];
  const unpackedSize = annotations[sizeKey];
  return {
    mediaType: optionalString(value['mediaType'], `${what}: mediaType`) ?? mediaTypes.ociManifest,
    digest: parseDigest(value['digest'], what),
    size: requiredSize(value['size'], `${what}: size`),
    ...(name !== undefined && { name }),
    ...(taggedAt !== undefined && { taggedAt }),
    ...(unpackedSize !== undefined && { unpackedSize: Number(unpackedSize) || 0 }),
  };
}

/** The descriptor of an entry, as index.json holds it. */
export function encodeEntry(entry: IndexEntry): object {
  const { mediaType, digest, size, name, taggedAt, unpackedSize } = entry;
  const annotations: Record<string, string> = {};
  for (const key of nameKeys) if (name !== undefined) annotations[key] = name;
  if (taggedAt !== undefined) annotations[taggedKey] = taggedAt;
  if (unpackedSize !== undefined) annotations[sizeKey] = String(unpackedSize);
  return { mediaType, digest, size, ...(Object.keys(annotations).length > 0 && { annotations }) };
}
