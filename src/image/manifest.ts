/**
 * Image manifests and lists of them: OCI image-spec v1.1 (manifest.md, image-index.md) and Docker's schema 2, which differ in
 * media types only. Everything here comes from outside and is checked before use.
 */
import { parseDigest, type Digest } from './digest.ts';
import { ImageError } from './image-error.ts';
import { isObject, optionalString, optionalStringMap, parseJsonObject, requiredSize, type JsonObject } from './json.ts';
import { choosePlatform, formatPlatform, type Platform } from './platform.ts';

export const mediaTypes = {
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
} as const;

/** Media types of OCI layers by how they are packed (image-spec, media-types.md). */
export const ociLayerTypes = {
  tar: 'application/vnd.oci.image.layer.v1.tar',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
} as const;

/** What a registry is asked for. */
export const manifestTypes: readonly string[] = [
  mediaTypes.ociIndex,
  mediaTypes.ociManifest,
  mediaTypes.dockerList,
  mediaTypes.dockerManifest,
];

/** The same limit as containerd's and Docker's. */
export const MANIFEST_LIMIT = 4 * 1024 * 1024;
export const CONFIG_LIMIT = 8 * 1024 * 1024;
/** Linux overlays take fewer, but our merged tree does not care; this only bounds the work. */
const LAYER_LIMIT = 1000;

const layerTypes: ReadonlySet<string> = new Set([
  ...Object.values<string>(ociLayerTypes),
  'application/vnd.oci.image.layer.nondistributable.v1.tar',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
  'application/vnd.oci.image.layer.nondistributable.v1.tar+zstd',
  'application/vnd.docker.image.rootfs.diff.tar',
  'application/vnd.docker.image.rootfs.diff.tar.gzip',
  'application/vnd.docker.image.rootfs.diff.tar.zstd',
  'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
]);

/** image-spec, descriptor.md */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly platform?: Platform;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Manifest {
  readonly kind: 'manifest';
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export interface ManifestList {
  readonly kind: 'list';
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
}

/**
 * Decodes a manifest or a list. `contentType` is the registry's word for it, used where the document does not say; `name` is
 * the image as the user knows it, for errors.
 */
export function parseManifest(bytes: Buffer, contentType: string | undefined, name: string): Manifest | ManifestList {
  const document = parseJsonObject(bytes, `The manifest of ${name}`);
  if (document['schemaVersion'] === 1) {
    throw new ImageError(
      'UNSUPPORTED',
      `${name} is a schema 1 image, a format that is out of use; push it again with a current tool`,
    );
  }
  const hasLists = Array.isArray(document['manifests']);
  const hasLayers = Array.isArray(document['layers']);
  // GHSA-77vh-xpmg-72qh: a document that can be read as either is meant to be read differently by different people.
  if (hasLists && hasLayers)
    throw new ImageError('INVALID', `The manifest of ${name} is ambiguous: manifest and index in one`);
  const mediaType = optionalString(document['mediaType'], 'mediaType') ?? guessType(contentType, hasLists);
  if (hasLists && (mediaType === mediaTypes.ociIndex || mediaType === mediaTypes.dockerList)) {
    return parseList(document, mediaType, name);
  }
  if (hasLayers && (mediaType === mediaTypes.ociManifest || mediaType === mediaTypes.dockerManifest)) {
    return parseImage(document, mediaType, name);
  }
  throw new ImageError(
    'UNSUPPORTED',
    `${name} is not an image: its manifest has the unsupported type ${JSON.stringify(mediaType)}`,
  );
}

/** The entry of a list for the wanted platform. Throws NOT_FOUND in Docker's words. */
export function selectManifest(list: ManifestList, wanted: Platform, name: string): Descriptor {
  const index = choosePlatform(
    wanted,
    list.manifests.map((each) => each.platform),
  );
  const chosen = list.manifests[index];
  if (chosen) return chosen;
  // A list of one that names no platform is no choice.
  const [only] = list.manifests;
  if (only && list.manifests.length === 1 && !only.platform) return only;
  const offered = list.manifests
    .flatMap(({ platform }) => (platform && platform.os !== 'unknown' ? [formatPlatform(platform)] : []))
    .slice(0, 20);
  const has = offered.length > 0 ? ` (it has ${offered.join(', ')})` : '';
  throw new ImageError(
    'NOT_FOUND',
    `no matching manifest for ${formatPlatform(wanted)} in the manifest list entries of ${name}${has}`,
  );
}

function guessType(contentType: string | undefined, isList: boolean): string {
  const bare = contentType?.split(';')[0]?.trim();
  if (bare !== undefined && manifestTypes.includes(bare)) return bare;
  return isList ? mediaTypes.ociIndex : mediaTypes.ociManifest;
}

function parseList(document: JsonObject, mediaType: string, name: string): ManifestList {
  const manifests = (document['manifests'] as unknown[]).map((each) => parseDescriptor(each, `The index of ${name}`));
  return { kind: 'list', mediaType, manifests };
}

function parseImage(document: JsonObject, mediaType: string, name: string): Manifest {
  const what = `The manifest of ${name}`;
  const config = parseDescriptor(document['config'], what);
  if (config.mediaType !== mediaTypes.ociConfig && config.mediaType !== mediaTypes.dockerConfig) {
    const type = optionalString(document['artifactType'], 'artifactType') ?? config.mediaType;
    throw new ImageError('UNSUPPORTED', `${name} is not an image but an artifact of type ${JSON.stringify(type)}`);
  }
  const layers = (document['layers'] as unknown[]).map((each) => parseDescriptor(each, what));
  if (layers.length > LAYER_LIMIT) throw new ImageError('INVALID', `${what} has over ${LAYER_LIMIT} layers`);
  for (const layer of layers) {
    if (layerTypes.has(layer.mediaType)) continue;
    throw new ImageError(
      'UNSUPPORTED',
      `${name} has a layer of the unsupported type ${JSON.stringify(layer.mediaType)}`,
    );
  }
  return { kind: 'manifest', mediaType, config, layers };
}

function parseDescriptor(value: unknown, what: string): Descriptor {
  if (!isObject(value)) throw new ImageError('INVALID', `${what} has a malformed descriptor`);
  const mediaType = optionalString(value['mediaType'], `${what}: mediaType`);
  if (mediaType === undefined) throw new ImageError('INVALID', `${what} has a descriptor without a media type`);
  const annotations = optionalStringMap(value['annotations'], `${what}: annotations`);
  const platform = parseDescriptorPlatform(value['platform'], what);
  return {
    mediaType,
    digest: parseDigest(value['digest'], what),
    size: requiredSize(value['size'], `${what}: size`),
    ...(platform && { platform }),
    ...(annotations && { annotations }),
  };
}

function parseDescriptorPlatform(value: unknown, what: string): Platform | undefined {
  if (!isObject(value)) return undefined;
  const os = optionalString(value['os'], `${what}: os`) ?? '';
  const architecture = optionalString(value['architecture'], `${what}: architecture`) ?? '';
  const variant = optionalString(value['variant'], `${what}: variant`);
  return { os, architecture, ...(variant !== undefined && variant !== '' && { variant }) };
}
