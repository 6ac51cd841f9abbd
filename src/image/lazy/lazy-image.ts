/**
 * Images whose files are not all there yet: `lazy/HEX/`, by manifest digest, with a record, the lists of layers that were made from
 * tables of contents, and a lock that the process which fetches the rest holds. The folder goes when everything is there.
 *
 * `wanted/` beside `files/` holds an empty file for each content that somebody waits for, by its id.
 */
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readJson, writeJson } from '../../state/atomic-file.ts';
import { tryLock } from '../../state/lock.ts';
import { digestHex, type Digest } from '../digest.ts';
import type { StoreLayout } from '../store/layout.ts';
import type { ContentPlace } from './layer-contents-table.ts';

export interface LazyRecord {
  readonly version: 1;
  /** What is pulled, as the user named it, in canonical form. */
  readonly reference: string;
  readonly platform?: string;
  readonly manifest: Digest;
  /** Milliseconds since the epoch. */
  readonly began: number;
}

/** How far a lazy image is. */
export interface LazyProgress {
  /** Bytes of packed layers, and of those that are there. */
  readonly total: number;
  readonly loaded: number;
  /** Contents that somebody waited for. */
  readonly demanded: number;
}

export class LazyImage {
  readonly folder: string;

  constructor(layout: StoreLayout, manifest: Digest) {
    this.folder = join(layout.lazy, digestHex(manifest));
  }

  get exists(): boolean {
    return existsSync(join(this.folder, 'record.json'));
  }

  get lock(): string {
    return join(this.folder, 'lock');
  }

  list(layer: Digest): string {
    return join(this.folder, `list-${digestHex(layer)}`);
  }

  /** Where the contents of a layer lie in its blob, so that nobody has to fetch the table again. */
  places(layer: Digest): ReadonlyMap<string, ContentPlace> {
    const stored = readJson<Record<string, [number, number, number, number]>>(this.#placesFile(layer)) ?? {};
    return new Map(
      Object.entries(stored).map(([id, [start, end, skip, size]]) => [id, { start, end, skip, size }] as const),
    );
  }

  setPlaces(layer: Digest, places: ReadonlyMap<string, ContentPlace>): void {
    const stored = [...places].map(([id, { start, end, skip, size }]) => [id, [start, end, skip, size]]);
    writeFileSync(this.#placesFile(layer), JSON.stringify(Object.fromEntries(stored)), { mode: 0o600 });
  }

  #placesFile(layer: Digest): string {
    return join(this.folder, `places-${digestHex(layer)}.json`);
  }

  record(): LazyRecord | undefined {
    return readJson<LazyRecord>(join(this.folder, 'record.json'));
  }

  progress(): LazyProgress | undefined {
    return readJson<LazyProgress>(join(this.folder, 'progress.json'));
  }

  setProgress(progress: LazyProgress): void {
    writeJson(join(this.folder, 'progress.json'), progress);
  }

  begin(): void {
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
  }

  /** The last step: from now on it is a lazy image. */
  commit(record: LazyRecord): void {
    writeJson(join(this.folder, 'record.json'), record);
  }

  /** Whether the rest of it is being fetched. */
  isFetched(): boolean {
    if (!this.exists) return false;
    const lock = tryLock(this.lock);
    lock?.[Symbol.dispose]();
    return lock === undefined;
  }

  /** Everything is there. How long that took is kept for who asks. */
  finish(record: LazyRecord, now: number): void {
    writeJson(this.#times, { took: now - record.began });
    this.remove();
  }

  /** Milliseconds from its start until everything was there; undefined while it is not. */
  took(): number | undefined {
    return readJson<{ took: number }>(this.#times)?.took;
  }

  get #times(): string {
    return `${this.folder}.json`;
  }

  remove(): void {
    // The record first: without it the rest is nothing.
    rmSync(join(this.folder, 'record.json'), { force: true });
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The lists of all lazy images: what they name is needed. */
export function lazyLists(layout: StoreLayout): string[] {
  const names = readdirSync(layout.lazy).filter((name) => !name.includes('.'));
  return names.flatMap((name) =>
    readdirSync(join(layout.lazy, name))
      .filter((file) => file.startsWith('list-') && !file.endsWith('.tmp'))
      .map((file) => join(layout.lazy, name, file)),
  );
}
