/**
 * The process that brings the rest of a lazy image: what somebody waits for at once, everything else in the background, by an ordinary
 * pull. Killed at any moment it leaves a lazy image that the next one goes on with; when the pull is through, nothing is lazy any more.
 */
import { readdirSync, rmSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { contentPath } from 'fuse-overlay';
import type { Digest } from '../digest.ts';
import type { ImageStore } from '../image-store.ts';
import { pullImage } from '../pull.ts';
import { canonicalReference, parseReference } from '../reference.ts';
import { openRegistry } from '../registry/open-registries.ts';
import { RegistryClient } from '../registry/registry-client.ts';
import { readImageRecord } from '../store/image-record.ts';
import { ContentWriter } from '../unpack/content-writer.ts';
import { decompress } from '../unpack/decompress.ts';
import type { ContentPlace } from './layer-contents-table.ts';
import { LazyImage } from './lazy-image.ts';

/** Milliseconds without a wish before the background pull begins, and the longest that it waits for that. */
const QUIET = 700;
const LONGEST_QUIET = 15_000;
/** Wishes that are fulfilled at once. */
const AT_ONCE = 8;

interface Located extends ContentPlace {
  readonly layer: Digest;
}

/** Returns when nothing is lazy any more, or the image has been removed. */
export async function fetchRest(store: ImageStore, manifest: Digest): Promise<void> {
  const lazy = new LazyImage(store.layout, manifest);
  const record = lazy.record();
  if (!record) return;
  const reference = parseReference(record.reference);
  const session = openRegistry(store, reference.domain);
  const client = new RegistryClient(session);
  const { layout } = store;
  const { layers } = readImageRecord(layout, manifest).manifest;
  const total = layers.reduce((sum, { size }) => sum + size, 0);
  const places = new Map(
    layers.flatMap(({ digest }) => [...lazy.places(digest)].map(([id, place]) => [id, { ...place, layer: digest }])),
  );
  const running = new Set<string>();
  let [demanded, lastWish] = [0, Date.now()];

  async function fulfil(id: string): Promise<void> {
    if (running.has(id) || running.size >= AT_ONCE) return;
    running.add(id);
    lastWish = Date.now();
    try {
      const path = join(layout.files, contentPath(Buffer.from(id, 'hex')));
      if (statSync(path, { throwIfNoEntry: false }) === undefined) {
        const place = places.get(id);
        // Of another lazy image, or of none.
        if (!place) return;
        demanded++;
        await fetchContent(store, client, reference.path, place);
      }
      rmSync(join(layout.wanted, id), { force: true });
    } catch (error) {
      process.stderr.write(`${new Date().toISOString()} ${id}: ${(error as Error).message}\n`);
      await sleep(500);
    } finally {
      running.delete(id);
      lastWish = Date.now();
    }
    look();
  }
  function look(): void {
    for (const id of readdirSync(layout.wanted)) if (/^[0-9a-f]{64}$/.test(id)) void fulfil(id);
  }

  const watcher = watch(layout.wanted, look);
  // A wish between two looks, or one that failed.
  const timer = setInterval(look, 250);
  look();
  try {
    const limit = Date.now() + LONGEST_QUIET;
    while (Date.now() - lastWish < QUIET && Date.now() < limit) await sleep(50);
    const loaded = new Map<string, number>();
    let told = 0;
    const stop = new AbortController();
    const byDigest = canonicalReference({ domain: reference.domain, path: reference.path, digest: manifest });
    await pullImage(store, byDigest, {
      signal: stop.signal,
      policy: 'always',
      ...(record.platform !== undefined && { platform: record.platform }),
      onEvent(event) {
        // It has been removed meanwhile: nobody wants the rest.
        if (!lazy.exists) stop.abort();
        if (event.kind !== 'layer' || event.state !== 'Downloading') return;
        loaded.set(event.id, event.current ?? 0);
        if (Date.now() - told < 500) return;
        told = Date.now();
        lazy.setProgress({ total, demanded, loaded: [...loaded.values()].reduce((sum, bytes) => sum + bytes, 0) });
      },
    });
    lazy.finish(record, Date.now());
  } finally {
    watcher.close();
    clearInterval(timer);
    session.close();
  }
}

async function fetchContent(
  { layout }: ImageStore,
  client: RegistryClient,
  repository: string,
  { layer, start, end, skip, size }: Located,
): Promise<void> {
  const packed = await client.fetchRange(repository, layer, start, end, undefined);
  using contents = new ContentWriter(layout.files, layout.temporary);
  contents.begin(size);
  let [toSkip, left] = [skip, size];
  for await (const chunk of decompress(once(packed))) {
    const part = chunk.subarray(toSkip, toSkip + left);
    toSkip = Math.max(toSkip - chunk.length, 0);
    if (part.length > 0) contents.write(part);
    left -= part.length;
    if (left === 0) break;
  }
  // Named by what it is: what is not what was asked for satisfies nobody.
  contents.end();
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  await Promise.resolve();
  yield bytes;
}
