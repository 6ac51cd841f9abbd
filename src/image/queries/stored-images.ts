import { existsSync } from 'node:fs';
import type { ImageConfig } from '../config.ts';
import { digestHex, type Digest } from '../digest.ts';
import { ImageError } from '../image-error.ts';
import type { ImageStore } from '../image-store.ts';
import type { Manifest } from '../manifest.ts';
import { canonicalReference, familiarReference, parseReference, withDefaultTag, type Reference } from '../reference.ts';
import { LazyImage } from '../lazy/lazy-image.ts';
import { readImageRecord, type ImageRecord } from '../store/image-record.ts';
import { readIndex, type IndexEntry } from '../store/index-file.ts';
import { hasLayerList } from '../store/durability.ts';
import { unpackedSize } from '../store/unpacked-size.ts';

export interface StoredImage {
  /** Digest of the config, as Docker numbers images. */
  readonly id: Digest;
  readonly manifestDigest: Digest;
  readonly manifest: Manifest;
  /** Bytes of the manifest. */
  readonly manifestSize: number;
  readonly config: ImageConfig;
  /** Whether it can be run: not where another program put it into the store, nor where a crash took some of it. */
  readonly isUnpacked: boolean;
  /** Whether its files come as they are read (lazy-image.ts). */
  readonly isLazy: boolean;
  /** The merged tree, for the file system. */
  readonly treePath: string;
  /** Where the tree's contents lie. */
  readonly filesDir: string;
  /** `debian:12`, newest first. */
  readonly repoTags: readonly string[];
  /** `debian@sha256:…`: what registries called it. */
  readonly repoDigests: readonly string[];
  /** Bytes of all layers' files. */
  readonly size: number;
  /** RFC 3339, or absent. */
  readonly created?: string;
  /** When it last got a name, RFC 3339. */
  readonly taggedAt?: string;
}

/** One image with all index entries that lead to it. */
export interface IndexedImage {
  readonly id: Digest;
  readonly record: ImageRecord;
  readonly entries: readonly IndexEntry[];
}

const idPattern = /^(?:sha256:)?([0-9a-f]{1,64})$/;

/** All images in the index, by id. Damaged ones are told to `onProblem` and left out. */
export function indexedImages(
  store: ImageStore,
  entries: readonly IndexEntry[],
  onProblem: (error: ImageError) => void,
): IndexedImage[] {
  const records = new Map<Digest, ImageRecord>();
  const images = new Map<Digest, { id: Digest; record: ImageRecord; entries: IndexEntry[] }>();
  const broken = new Set<Digest>();
  for (const entry of entries) {
    if (broken.has(entry.digest)) continue;
    let record = records.get(entry.digest);
    try {
      record ??= readImageRecord(store.layout, entry.digest);
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      broken.add(entry.digest);
      onProblem(error);
      continue;
    }
    records.set(entry.digest, record);
    const id = record.manifest.config.digest;
    const known = images.get(id);
    if (known) known.entries.push(entry);
    else images.set(id, { id, record, entries: [entry] });
  }
  return [...images.values()];
}

/** What a user's word for an image means. `byId`: whether it was an id and not a name. */
export interface FoundImage {
  readonly image: IndexedImage;
  readonly byId: boolean;
  /** The entry that the name is of. */
  readonly entry?: IndexEntry;
}

/** Finds an image as Docker does: by full id, by name, then by the start of an id. Throws NOT_FOUND, or INVALID for nonsense. */
export function findImage(store: ImageStore, text: string, entries: readonly IndexEntry[]): FoundImage {
  let damage: ImageError | undefined;
  const hex = idPattern.exec(text)?.[1];
  const reference = tryParse(text, hex !== undefined);
  const entry = reference && findEntry(reference, entries);
  if (entry) {
    const same = indexedImages(store, entries, (error) => (damage ??= error)).find((each) =>
      each.entries.includes(entry),
    );
    if (same) return { image: same, byId: false, entry };
    throw damage ?? notFound(text, reference);
  }
  if (hex !== undefined) {
    const images = indexedImages(store, entries, () => undefined);
    const matches = images.filter(({ id, entries: own }) => {
      return digestHex(id).startsWith(hex) || own.some(({ digest }) => hex.length === 64 && digestHex(digest) === hex);
    });
    const [only] = matches;
    if (only && matches.length === 1) return { image: only, byId: true };
  }
  throw notFound(text, reference);
}

/** The image of a name, with its names by the same manifest only, without a look at any other image: `run` is in a hurry. */
export function findNamedImage(
  store: ImageStore,
  text: string,
  entries: readonly IndexEntry[],
): IndexedImage | undefined {
  const reference = tryParse(text, idPattern.test(text));
  const entry = reference && findEntry(reference, entries);
  if (!entry) return undefined;
  const record = readImageRecord(store.layout, entry.digest);
  return {
    id: record.manifest.config.digest,
    record,
    entries: entries.filter(({ digest }) => digest === entry.digest),
  };
}

function tryParse(text: string, mayBeId: boolean): Reference | undefined {
  if (text.startsWith('sha256:')) return undefined;
  try {
    return withDefaultTag(parseReference(text));
  } catch (error) {
    if (mayBeId) return undefined;
    throw error;
  }
}

function findEntry(reference: Reference, entries: readonly IndexEntry[]): IndexEntry | undefined {
  const { domain, path, digest } = reference;
  const name = canonicalReference(digest === undefined ? reference : { domain, path, digest });
  return entries.find((entry) => entry.name === name);
}

function notFound(text: string, reference: Reference | undefined): ImageError {
  return new ImageError('NOT_FOUND', `No such image: ${reference ? familiarReference(reference) : text}`);
}

/** What the rest of the program wants to know of an image. */
export function storedImage(store: ImageStore, { id, record, entries }: IndexedImage): StoredImage {
  const { manifest, config } = record;
  // The same config may have come by two manifests; any that is unpacked will do.
  const isWhole = config.diffIds.every((diffId) => hasLayerList(store.layout, diffId));
  const unpacked = entries.find(({ digest }) => {
    return (isWhole || new LazyImage(store.layout, digest).exists) && existsSync(store.layout.tree(digest));
  });
  const manifestDigest = unpacked?.digest ?? record.manifestDigest;
  const times = entries.flatMap(({ taggedAt }) => (taggedAt === undefined ? [] : [taggedAt])).sort();
  const taggedAt = times.at(-1);
  const stated = entries.find((entry) => entry.unpackedSize !== undefined)?.unpackedSize;
  return {
    id,
    manifestDigest,
    manifest,
    manifestSize: record.manifestSize,
    config,
    isUnpacked: unpacked !== undefined,
    isLazy: unpacked !== undefined && !isWhole,
    treePath: store.layout.tree(manifestDigest),
    filesDir: store.layout.files,
    repoTags: familiarNames(entries, false),
    repoDigests: familiarNames(entries, true),
    size: stated ?? (unpacked && isWhole ? unpackedSize(store.layout, config.diffIds) : 0),
    ...(config.created !== undefined && { created: config.created }),
    ...(taggedAt !== undefined && { taggedAt }),
  };
}

function familiarNames(entries: readonly IndexEntry[], areDigests: boolean): string[] {
  return entries
    .flatMap(({ name }) => (name === undefined || name.includes('@') !== areDigests ? [] : [name]))
    .map(familiarize)
    .reverse();
}

/** A name in the index as Docker shows it. Other programs may have put names there that are no references. */
export function familiarize(name: string): string {
  try {
    return familiarReference(parseReference(name));
  } catch {
    return name;
  }
}

/** All entries of the index, at this moment. */
export function allEntries(store: ImageStore): readonly IndexEntry[] {
  return readIndex(store.layout);
}
