/**
 * What steps of earlier builds have made: a record for each, found by a key that is a hash of everything that the step
 * depends on, contents included and times not. The layers themselves are in the image store, pinned for as long as the
 * record is there. A record is written when the layer is, and removed before the pin: whoever is killed in between leaves
 * a pin without record, which the next prune takes away.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { isDigest, type Digest } from '../../image/digest.ts';
import { hasBlob } from '../../image/layer/stored-layer.ts';
import type { Descriptor } from '../../image/manifest.ts';
import { hasLayerList } from '../../image/store/durability.ts';
import type { StoreLayout } from '../../image/store/layout.ts';
import { removePin, setPin } from '../../image/store/pins.ts';
import { readJson, writeJson } from '../../state/atomic-file.ts';

/** What a step has made. */
export interface StepLayer {
  readonly diffId: Digest;
  readonly descriptor: Descriptor;
  /** Bytes of the files in it. */
  readonly contentBytes: number;
}

export interface StepRecord {
  /** Absent: the step has changed no file. */
  readonly layer?: StepLayer;
  /** The instruction, for people. */
  readonly description: string;
  /** RFC 3339; the history of the image repeats it. */
  readonly created: string;
}

const KEY = /^[0-9a-f]{64}$/;

/** The key of what a step depends on. `parts` is any JSON value; the order of an object's fields counts. */
export function stepKey(parts: unknown): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}

export class StepCache {
  readonly #folder: string;
  readonly #layout: StoreLayout;

  /** `builds`: the folder of the state. */
  constructor(builds: string, layout: StoreLayout) {
    this.#folder = join(builds, 'cache');
    this.#layout = layout;
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
  }

  /** The record of a key, if all of what it names is there still. */
  find(key: string): StepRecord | undefined {
    const path = join(this.#folder, key);
    const record = readRecord(path);
    if (record === undefined) return undefined;
    const { layer } = record;
    if (layer !== undefined && !(hasLayerList(this.#layout, layer.diffId) && hasBlob(this.#layout, layer.descriptor)))
      return undefined;
    const now = new Date();
    // The time of the last use, for prune.
    utimesSync(path, now, now);
    return record;
  }

  /** Call it while the addition of the layer is announced. */
  save(key: string, record: StepRecord): void {
    const { layer } = record;
    if (layer !== undefined)
      setPin(this.#layout, pinName(key), { layers: [layer.diffId], blobs: [layer.descriptor.digest] });
    // Lost in a crash of the machine, the step is done again.
    writeJson(join(this.#folder, key), record, 'none');
  }

  /** All records, with the time of their last use in ms. */
  list(): { key: string; record: StepRecord; used: number }[] {
    return readdirSync(this.#folder)
      .filter((name) => KEY.test(name))
      .flatMap((key) => {
        const path = join(this.#folder, key);
        const record = readRecord(path);
        return record === undefined ? [] : [{ key, record, used: statSync(path).mtimeMs }];
      });
  }

  remove(key: string): void {
    rmSync(join(this.#folder, key), { force: true });
    removePin(this.#layout, pinName(key));
  }

  /** Takes away the pins of records that are gone. */
  removeStrayPins(): void {
    for (const name of readdirSync(this.#layout.pins)) {
      const key = name.startsWith(PIN) ? name.slice(PIN.length) : undefined;
      if (key !== undefined && statSync(join(this.#folder, key), { throwIfNoEntry: false }) === undefined)
        removePin(this.#layout, name);
    }
  }
}

const PIN = 'build-';

function pinName(key: string): string {
  return `${PIN}${key}`;
}

export function isStepKey(text: string): boolean {
  return KEY.test(text);
}

/** A damaged record is none. */
function readRecord(path: string): StepRecord | undefined {
  try {
    return toStepRecord(readJson(path));
  } catch {
    return undefined;
  }
}

/** Takes a record from outside; undefined where it is none. */
export function toStepRecord(value: unknown): StepRecord | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const record = value as Partial<StepRecord>;
  if (typeof record.created !== 'string' || typeof record.description !== 'string') return undefined;
  if (record.layer !== undefined && !(isDigest(record.layer.diffId) && isDigest(record.layer.descriptor.digest)))
    return undefined;
  return record as StepRecord;
}
