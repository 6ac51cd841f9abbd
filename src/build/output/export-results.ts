/** What becomes of a finished build: images in the store and in registries, archives, folders. */
import { createWriteStream, mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { commitImage, type CommittedImage } from '../../image/commit-image.ts';
import { layerTar } from '../../image/layer/layer-tar.ts';
import { gatherPieces } from '../../image/layer/stored-layer.ts';
import { formatPlatform, hostPlatform, platformMatches, type Platform } from '../../image/platform.ts';
import type { Descriptor } from '../../image/manifest.ts';
import { pushImage, type PushedImage } from '../../image/push/push-image.ts';
import { pushIndex, type DescribedIndex } from '../../image/push/push-index.ts';
import { familiarReference, parseReference, withDefaultTag, type Reference } from '../../image/reference.ts';
import type { Output } from '../build-request.ts';
import type { StepEvents } from '../display/progress.ts';
import type { BuildSession } from '../session.ts';
import { openTree } from '../source/layer-chain.ts';
import { treeEntries } from '../source/tree-entries.ts';
import type { StageResult } from '../stage/stage-result.ts';
import { exportFolder } from './export-folder.ts';
import { attest, type Attestation } from './attestations.ts';
import { imageDocuments, type ImageDocuments } from './image-documents.ts';
import { imageIndex } from './image-index.ts';
import { ociArchive } from './oci-archive.ts';

export interface BuildOutcome {
  /** Absent where no image was made. */
  readonly image?: CommittedImage;
  readonly names: readonly string[];
}

export interface PlatformResult {
  readonly platform: Platform;
  readonly result: StageResult;
}

type Results = readonly PlatformResult[];

export async function exportResults(
  session: BuildSession,
  results: Results,
  stdout: NodeJS.WritableStream,
): Promise<BuildOutcome> {
  let outcome: BuildOutcome = { names: [] };
  for (const output of session.request.outputs) {
    switch (output.type) {
      case 'image':
        outcome = await exportImage(session, results, output);
        break;
      case 'local':
        await step(session, 'exporting to client directory', () => exportLocal(session, results, output.dest));
        break;
      case 'tar':
        await step(session, 'exporting to client tarball', () => exportTar(session, results, output.dest, stdout));
        break;
      case 'oci':
      case 'docker':
        await step(session, `exporting to ${output.type} image format`, () =>
          exportArchive(session, results, output, stdout),
        );
        break;
      case 'cacheonly':
    }
  }
  return outcome;
}

async function step<T>({ progress }: BuildSession, name: string, work: (events: StepEvents) => Promise<T>): Promise<T> {
  const events = progress.step(name);
  events.begin();
  try {
    const result = await work(events);
    events.done();
    return result;
  } catch (error) {
    events.fail((error as Error).message);
    throw error;
  }
}

/**
 * Images in the store, where each has one platform: the names go to the machine's own, if it is among them, and those of
 * the others end with their platform.
 */
async function exportImage(
  session: BuildSession,
  results: Results,
  { names, annotations, push }: Extract<Output, { type: 'image' }>,
): Promise<BuildOutcome> {
  const main = results.find(({ platform }) => platformMatches(hostPlatform(), platform)) ?? results[0]!;
  const images: ImageDocuments[] = [];
  const image = await step(session, 'exporting to image', async (events) => {
    events.note('exporting layers');
    let made: CommittedImage | undefined;
    for (const { platform, result } of results) {
      const isMain = result === main.result;
      const references = isMain
        ? [...names, ...cacheNames(session)]
        : names.map((name) => platformName(name, platform));
      const documents = imageDocuments(session, platform, result, annotations);
      const { config, layers } = documents;
      const committed = await commitImage(session.store, {
        ...{ config, layers, references },
        ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
      });
      images.push({ ...documents, manifest: committed.manifest });
      events.note(`writing image ${committed.id}`);
      for (const name of references) events.note(`naming to ${familiarReference(name)}`);
      if (isMain) made = committed;
    }
    return made!;
  });
  if (push) {
    for (const name of names) {
      await step(session, `pushing ${familiarReference(name)}`, async (events) => {
        const { digest } = await pushAll(session, results, images, name);
        events.note(`digest: ${digest}`);
      });
    }
  }
  return { image, names: names.map(familiarReference) };
}

/** One image goes as it is; several, or one with attestations, below an index. */
function pushAll(
  session: BuildSession,
  results: Results,
  images: readonly ImageDocuments[],
  name: Reference,
): Promise<PushedImage> {
  const { store, request, signal } = session;
  if (images.length === 1 && !request.sbom && !request.provenance) return pushImage(store, name, { signal });
  const manifests = images.map(({ manifest }) => manifest.digest);
  // Layers are packed on the way: what is attested is said of the manifests that the registry gets.
  function describe(pushed: readonly Descriptor[]): DescribedIndex {
    const described = images.map((image, i) => ({ ...image, manifest: pushed[i]! }));
    const attached = attestAll(session, results, described);
    return { ...imageIndex(described, attached), attached };
  }
  return pushIndex(store, name, { manifests, describe }, { signal });
}

/** A cache in a registry is the image itself under that name. */
function cacheNames({ request }: BuildSession): Reference[] {
  return request.cacheTo.flatMap(({ type, place }) =>
    type === 'registry' ? [withDefaultTag(parseReference(place))] : [],
  );
}

function platformName({ domain, path, tag }: Reference, platform: Platform): Reference {
  return { domain, path, tag: `${tag ?? 'latest'}-${folderName(platform)}` };
}

/** `linux_arm64`, as BuildKit names the folders of platforms. */
function folderName(platform: Platform): string {
  return formatPlatform(platform).replaceAll('/', '_').replace(/_v8$/, '');
}

function exportLocal({ store }: BuildSession, results: Results, dest: string): Promise<void> {
  for (const { platform, result } of results) {
    const folder = results.length > 1 ? join(dest, folderName(platform)) : dest;
    mkdirSync(folder, { recursive: true });
    using tree = openTree(store, result.layers);
    exportFolder(tree.view, folder);
  }
  return Promise.resolve();
}

async function exportTar(
  { store }: BuildSession,
  results: Results,
  dest: string,
  stdout: NodeJS.WritableStream,
): Promise<void> {
  const [{ result }] = results as [PlatformResult];
  if (results.length > 1) throw new Error('a tar archive has one platform: use --output type=local or type=oci');
  using tree = openTree(store, result.layers);
  await writeArchive(gatherPieces(layerTar(treeEntries(tree.view))), dest, stdout);
}

async function exportArchive(
  session: BuildSession,
  results: Results,
  { type, dest, names }: Extract<Output, { type: 'local' | 'tar' | 'oci' | 'docker' }>,
  stdout: NodeJS.WritableStream,
): Promise<void> {
  if (type === 'docker' && results.length > 1) {
    throw new Error('docker exporter does not support exporting manifest lists: use --output type=oci');
  }
  const images = results.map(({ platform, result }) => imageDocuments(session, platform, result, {}));
  const attestations = type === 'oci' ? attestAll(session, results, images) : [];
  await writeArchive(ociArchive(session.store.layout, images, names, type === 'docker', attestations), dest, stdout);
}

function attestAll(session: BuildSession, results: Results, images: readonly ImageDocuments[]): Attestation[] {
  return results.flatMap(({ result }, i) => {
    using tree = openTree(session.store, result.layers);
    return attest(session, images[i]!, tree.view) ?? [];
  });
}

/** A file appears when it is whole. */
async function writeArchive(
  pieces: Iterable<Buffer> | AsyncIterable<Buffer>,
  dest: string,
  stdout: NodeJS.WritableStream,
): Promise<void> {
  const source = Readable.from(pieces, { objectMode: false });
  if (dest === '-') {
    if ('isTTY' in stdout && stdout.isTTY === true) {
      throw new Error('dest file is required for an archive, refusing to write it to a terminal');
    }
    await pipeline(source, stdout, { end: false });
    return;
  }
  mkdirSync(dirname(dest), { recursive: true });
  const draft = `${dest}.${process.pid}.tmp`;
  try {
    await pipeline(source, createWriteStream(draft, { mode: 0o644 }));
    renameSync(draft, dest);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}
