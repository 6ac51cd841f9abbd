/**
 * Brings one layer into the store: its blob, and its list with all contents. Blob and list are independent of each other, either
 * may be there already; what is missing is made, download and unpacking at the same time.
 */
import { renameSync, rmSync, statSync } from 'node:fs';
import { digestHex, type Digest } from '../digest.ts';
import { ImageError, reasonOf } from '../image-error.ts';
import { isElsewhere, leaveBlob } from '../layer/remote-blob.ts';
import type { Descriptor } from '../manifest.ts';
import { downloadBlob, StalePartialError } from '../registry/blob-download.ts';
import { RegistryError } from '../registry/registry-error.ts';
import type { RegistryClient } from '../registry/registry-client.ts';
import { waitForLock } from '../store/activity.ts';
import { hasLayerList } from '../store/durability.ts';
import type { StoreLayout } from '../store/layout.ts';
import type { UnpackLimits } from '../unpack/limits.ts';
import { diskError } from '../unpack/unpack-failure.ts';
import type { UnpackerPool, UnpackJob } from '../unpack/unpacker-pool.ts';
import { retryState, type LayerState, type OnPullEvent } from './pull-events.ts';

export interface LayerPull {
  readonly layout: StoreLayout;
  readonly client: RegistryClient;
  readonly repository: string;
  readonly layer: Descriptor;
  readonly diffId: Digest;
  readonly unpackers: UnpackerPool;
  readonly limits: UnpackLimits;
  /** Whether the blob stays when it is unpacked; otherwise where it is gets noted. */
  readonly keepBlobs: boolean;
  readonly onEvent: OnPullEvent;
  readonly signal: AbortSignal;
}

/** As Docker shows a layer. */
export function shortDigest(digest: Digest): string {
  return digestHex(digest).slice(0, 12);
}

export function hasLayer(layout: StoreLayout, layer: Descriptor, diffId: Digest): boolean {
  return (hasBlob(layout, layer) || isElsewhere(layout, layer.digest)) && hasLayerList(layout, diffId);
}

export async function pullLayer(pull: LayerPull): Promise<void> {
  const { layout, layer, diffId, signal } = pull;
  if (hasLayer(layout, layer, diffId)) return tell(pull, 'Already exists');
  // Another pull may be at the same layer: then it does the work for both.
  const path = layout.lock(digestHex(layer.digest));
  const lock = await waitForLock(path, signal, () => tell(pull, 'Waiting'));
  try {
    if (hasLayer(layout, layer, diffId)) return tell(pull, 'Already exists');
    await makeLayer(pull);
    tell(pull, 'Pull complete');
  } finally {
    lock[Symbol.dispose]();
  }
}

async function makeLayer(pull: LayerPull): Promise<void> {
  const { layout, layer, diffId } = pull;
  const blob = layout.blob(layer.digest);
  if (hasBlob(layout, layer)) {
    const job = startUnpacking(pull, blob, { isDownloaded: true });
    job.grow(layer.size);
    job.complete();
    tell(pull, 'Extracting', 0);
    await job.result;
    return;
  }
  const partial = layout.partialBlob(layer.digest);
  const needsUnpacking = !hasLayerList(layout, diffId);
  try {
    await downloadAndUnpack(pull, partial, needsUnpacking);
  } catch (error) {
    if (!(error instanceof StalePartialError)) throw error;
    await downloadAndUnpack(pull, partial, needsUnpacking);
  }
  try {
    if (pull.keepBlobs) renameSync(partial, blob);
    else {
      leaveBlob(layout, layer.digest, { domain: pull.client.domain, repository: pull.repository });
      rmSync(partial);
    }
  } catch (error) {
    throw onDisk(pull, error);
  }
}

async function downloadAndUnpack(pull: LayerPull, partial: string, needsUnpacking: boolean): Promise<void> {
  const phase = { isDownloaded: false };
  const stop = new AbortController();
  const job = needsUnpacking ? startUnpacking(pull, partial, phase) : undefined;
  const unpacked = job?.result.catch((error: unknown) => {
    // A full disk stops the download. A bad archive does not: if the registry sent the wrong bytes, then that is the news.
    if (!isBadArchive(error)) stop.abort(error);
    throw error;
  });
  const downloaded = download(pull, partial, job, phase, AbortSignal.any([pull.signal, stop.signal])).catch(
    (error: unknown) => {
      job?.cancel(error as Error);
      throw stop.signal.aborted ? (stop.signal.reason as Error) : error;
    },
  );
  const [first, second] = await Promise.allSettled([downloaded, unpacked]);
  const failed = [first, second].find((each) => each.status === 'rejected');
  if (!failed) return;
  if (isUseless(failed.reason)) rmSync(partial, { force: true });
  throw onDisk(pull, failed.reason);
}

function isBadArchive(error: unknown): boolean {
  return error instanceof ImageError && error.code === 'INVALID';
}

/** The wrong bytes, or the promised ones that are no layer: the blob would be no use next time either. */
function isUseless(error: unknown): boolean {
  return (
    error instanceof StalePartialError ||
    isBadArchive(error) ||
    (error instanceof RegistryError && error.code === 'DAMAGED')
  );
}

async function download(
  pull: LayerPull,
  path: string,
  job: UnpackJob | undefined,
  phase: { isDownloaded: boolean },
  signal: AbortSignal,
): Promise<void> {
  const { client, repository, layer } = pull;
  await downloadBlob({
    onWait: (milliseconds) => tell(pull, retryState(milliseconds)),
    client,
    repository,
    digest: layer.digest,
    size: layer.size,
    path,
    signal,
    onProgress: (bytes) => {
      job?.grow(bytes);
      tell(pull, 'Downloading', bytes);
      if (bytes === layer.size) tell(pull, 'Verifying Checksum');
    },
  });
  phase.isDownloaded = true;
  tell(pull, 'Download complete');
  job?.complete();
}

/** What is unpacked during the download is not told: a layer has one state. */
function startUnpacking(pull: LayerPull, path: string, phase: { readonly isDownloaded: boolean }): UnpackJob {
  const { layout, layer, diffId, unpackers, limits } = pull;
  return unpackers.start({
    path,
    size: layer.size,
    shownAs: shortDigest(layer.digest),
    request: {
      files: layout.files,
      temporary: layout.temporary,
      list: layout.layerList(diffId),
      mark: layout.unprovenLayer(diffId),
      diffId,
      limits,
    },
    onProgress: (position) => {
      if (phase.isDownloaded) tell(pull, 'Extracting', position);
    },
  });
}

function hasBlob(layout: StoreLayout, { digest, size }: Descriptor): boolean {
  return statSync(layout.blob(digest), { throwIfNoEntry: false })?.size === size;
}

function tell({ onEvent, layer }: LayerPull, state: LayerState, current?: number): void {
  const id = shortDigest(layer.digest);
  onEvent({ kind: 'layer', id, state, ...(current !== undefined && { current, total: layer.size }) });
}

function onDisk({ layer }: LayerPull, error: unknown): unknown {
  if (error instanceof ImageError || error instanceof StalePartialError) return error;
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string') return error;
  return diskError(`Cannot store layer ${shortDigest(layer.digest)}`, reasonOf(error), code);
}
