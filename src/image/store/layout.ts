/**
 * Where things lie in the image store. `oci-layout`, `index.json` and `blobs/` are an OCI image layout (image-spec,
 * image-layout.md) that other programs can read; the rest is ours and can be made again from the blobs.
 *
 *   oci-layout  index.json  blobs/sha256/HEX     manifests, configs, compressed layers; index.json alone says what exists
 *   partial/HEX                                  blobs that are not complete yet
 *   files/ab/cdef…                               contents of all layers' files, by sha256
 *   layers/HEX                                   list of entries of a layer, by diffID; exists only if all its contents do
 *   unproven/HEX                                 boot in which a layer was written, until its contents are known to have survived it
 *   trees/HEX                                    merged tree of an image, by manifest digest, or of bare layers, by chainID
 *   orders/HEX                                   what is read first of an image, so that it is read ahead at the next mount
 *   temporary/                                   files without a name yet
 *   locks/                                       `index`, `store` (shared: somebody adds; exclusive: somebody deletes), one per layer
 *   unfinished/                                  one locked file per running pull; an unlocked one was killed and is to be tidied up
 *   lazy/HEX/  wanted/HEX                        images that are not all there yet, contents that are waited for (lazy-image.ts)
 *   elsewhere/HEX                                registry that has a blob which is not kept (remote-blob.ts)
 *   packed/HEX                                   what a layer that was made here packs to, by diffID
 *   pins/NAME                                    layers, blobs and trees that are kept for no image (pins.ts)
 *   plain/HEX                                    merged trees as plain files, for hosts without /dev/fuse (storage/plain-copy.ts)
 *   reserve                                      room for a removal on a full disk
 */
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '../../state/atomic-file.ts';
import { digestHex, type Digest } from '../digest.ts';

const LAYOUT_VERSION = '1.0.0';

export class StoreLayout {
  readonly root: string;
  readonly index: string;
  readonly blobs: string;
  readonly partial: string;
  readonly files: string;
  readonly layers: string;
  readonly unproven: string;
  readonly trees: string;
  readonly orders: string;
  readonly temporary: string;
  readonly locks: string;
  readonly unfinished: string;
  readonly lazy: string;
  readonly wanted: string;
  readonly elsewhere: string;
  readonly packed: string;
  readonly pins: string;
  readonly reserve: string;

  constructor(root: string) {
    this.root = root;
    this.index = join(root, 'index.json');
    this.blobs = join(root, 'blobs', 'sha256');
    this.partial = join(root, 'partial');
    this.files = join(root, 'files');
    this.layers = join(root, 'layers');
    this.unproven = join(root, 'unproven');
    this.trees = join(root, 'trees');
    this.orders = join(root, 'orders');
    this.temporary = join(root, 'temporary');
    this.locks = join(root, 'locks');
    this.unfinished = join(root, 'unfinished');
    this.lazy = join(root, 'lazy');
    this.wanted = join(root, 'wanted');
    this.elsewhere = join(root, 'elsewhere');
    this.packed = join(root, 'packed');
    this.pins = join(root, 'pins');
    this.reserve = join(root, 'reserve');
  }

  /** Makes what is missing. */
  create(): void {
    const { blobs, partial, files, layers, unproven, trees, orders, temporary, locks, unfinished } = this;
    const { lazy, wanted, elsewhere, packed, pins } = this;
    for (const folder of [
      ...[blobs, partial, files, layers, unproven, trees, orders, temporary, locks, unfinished],
      ...[lazy, wanted, elsewhere, packed, pins],
    ]) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    }
    const marker = join(this.root, 'oci-layout');
    if (!existsSync(marker)) writeFileAtomic(marker, JSON.stringify({ imageLayoutVersion: LAYOUT_VERSION }));
  }

  blob(digest: Digest): string {
    return join(this.blobs, digestHex(digest));
  }

  partialBlob(digest: Digest): string {
    return join(this.partial, digestHex(digest));
  }

  layerList(diffId: Digest): string {
    return join(this.layers, digestHex(diffId));
  }

  unprovenLayer(diffId: Digest): string {
    return join(this.unproven, digestHex(diffId));
  }

  tree(manifest: Digest): string {
    return join(this.trees, digestHex(manifest));
  }

  /** Written by whoever serves the image. */
  readOrder(manifest: Digest): string {
    return join(this.orders, digestHex(manifest));
  }

  lock(name: string): string {
    return join(this.locks, name);
  }
}
