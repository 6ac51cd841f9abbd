/**
 * What is to be kept though no image in the index needs it, such as the layers of a build cache: a file each in `pins/`, written
 * when the thing itself is stored and removed when it may go.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readJson, writeJson } from '../../state/atomic-file.ts';
import { digestHex, isDigest, type Digest } from '../digest.ts';
import { isObject } from '../json.ts';
import type { StoreLayout } from './layout.ts';
import type { LiveSet } from './live-set.ts';

export interface Pin {
  /** By diffID. */
  readonly layers?: readonly Digest[];
  readonly blobs?: readonly Digest[];
  /** By manifest digest or chainID. */
  readonly trees?: readonly Digest[];
}

const keys = ['layers', 'blobs', 'trees'] as const;

/**
 * Keeps what `pin` names until it is taken away, or until the machine crashes soon after: nothing is pinned that cannot be made
 * again. `name`: fit for a file name. Call it while the addition is announced.
 */
export function setPin(layout: StoreLayout, name: string, pin: Pin): void {
  writeJson(join(layout.pins, name), pin, 'none');
}

/** What it kept goes with the next sweep. */
export function removePin(layout: StoreLayout, name: string): void {
  rmSync(join(layout.pins, name), { force: true });
}

export function addPinned(layout: StoreLayout, live: LiveSet): void {
  for (const name of readdirSync(layout.pins)) {
    if (name.endsWith('.tmp')) continue;
    const pin = readPin(join(layout.pins, name));
    if (!isObject(pin)) continue;
    for (const key of keys) {
      const digests = pin[key];
      if (Array.isArray(digests)) for (const each of digests.filter(isDigest)) live[key].add(digestHex(each));
    }
  }
}

/** Found empty after a crash of the machine it keeps nothing. */
function readPin(path: string): unknown {
  try {
    return readJson<unknown>(path);
  } catch (error) {
    if (error instanceof Error && error.cause instanceof SyntaxError) return undefined;
    throw error;
  }
}
