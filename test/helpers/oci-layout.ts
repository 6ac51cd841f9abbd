/** Writes OCI image layouts (image-spec v1.1, image-layout.md) from tar files, for skopeo to push. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';

export interface ImageSource {
  /** Tar files, lowest layer first. */
  readonly layers: readonly string[];
  /** The `config` object of the image configuration: Env, Cmd, User… */
  readonly config: Readonly<Record<string, unknown>>;
  /** As GOARCH has it; absent: this machine's. */
  readonly architecture?: string;
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

const mediaType = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
} as const;

const architectures: Readonly<Record<string, string>> = { x64: 'amd64' };

export const hostArchitecture = architectures[process.arch] ?? process.arch;

async function writeBlob(folder: string, type: string, content: string): Promise<Descriptor> {
  const digest = createHash('sha256').update(content).digest('hex');
  await writeFile(join(folder, 'blobs/sha256', digest), content);
  return { mediaType: type, digest: `sha256:${digest}`, size: Buffer.byteLength(content) };
}

async function digestFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** @returns the blob of the compressed layer, and the digest of the tar file itself (the diffID) */
async function writeLayer(folder: string, tar: string): Promise<{ blob: Descriptor; diffId: string }> {
  const temporary = join(folder, 'blobs/layer');
  await pipeline(createReadStream(tar), createGzip(), createWriteStream(temporary));
  const digest = await digestFile(temporary);
  const { size } = await stat(temporary);
  await rename(temporary, join(folder, 'blobs/sha256', digest));
  return {
    blob: { mediaType: mediaType.layer, digest: `sha256:${digest}`, size },
    diffId: `sha256:${await digestFile(tar)}`,
  };
}

async function writeManifest(folder: string, source: ImageSource): Promise<Descriptor> {
  const layers = [];
  for (const tar of source.layers) layers.push(await writeLayer(folder, tar));
  const config = {
    created: '2024-01-01T00:00:00Z',
    architecture: source.architecture ?? hostArchitecture,
    os: 'linux',
    config: source.config,
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(() => ({ created: '2024-01-01T00:00:00Z', created_by: 'test fixture' })),
  };
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaType.manifest,
    config: await writeBlob(folder, mediaType.config, JSON.stringify(config)),
    layers: layers.map(({ blob }) => blob),
  };
  return writeBlob(folder, mediaType.manifest, JSON.stringify(manifest));
}

/**
 * Writes a layout that holds one image under the name `latest`. Several sources become an index with one manifest per
 * architecture.
 */
export async function writeLayout(folder: string, ...sources: readonly ImageSource[]): Promise<void> {
  await mkdir(join(folder, 'blobs/sha256'), { recursive: true });
  const manifests = [];
  for (const source of sources) {
    const platform = { architecture: source.architecture ?? hostArchitecture, os: 'linux' };
    manifests.push({ ...(await writeManifest(folder, source)), platform });
  }
  const index = { schemaVersion: 2, mediaType: mediaType.index, manifests };
  const image = sources.length === 1 ? manifests[0]! : await writeBlob(folder, mediaType.index, JSON.stringify(index));
  const named = { ...image, annotations: { 'org.opencontainers.image.ref.name': 'latest' } };
  await writeFile(join(folder, 'index.json'), JSON.stringify({ ...index, manifests: [named] }));
  await writeFile(join(folder, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
}
