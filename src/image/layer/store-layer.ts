/**
 * A new layer for the store, from entries that somebody reads off a writable layer: its contents go into the content store and its
 * list into `layers/`. The archive itself is not kept, only its digest: it can be made again from the two (stored-layer.ts).
 */
import { closeSync } from 'node:fs';
import { LayerListWriter, type LayerEntry } from 'fuse-overlay';
import { Digester, type Digest } from '../digest.ts';
import { ociLayerTypes, type Descriptor } from '../manifest.ts';
import { markUnproven } from '../store/durability.ts';
import type { StoreLayout } from '../store/layout.ts';
import { ContentWriter } from '../unpack/content-writer.ts';
import { layerTarHeader, readContent, type LayerSource } from './layer-tar.ts';
import { tarEnd, tarPadding } from '../unpack/tar-writer.ts';

export interface NewLayer {
  /** Digest of the plain archive. */
  readonly diffId: Digest;
  /** For a manifest: the plain archive. Without a file in `blobs/`; `openBlob` gives its bytes. */
  readonly descriptor: Descriptor;
  /** Bytes of the files in it, as Docker counts a layer's size. */
  readonly contentBytes: number;
  /** Number of entries: a layer of none changes nothing. */
  readonly entries: number;
}

export interface StoreLayerOptions {
  /**
   * The files are not needed any more where they are: they become contents of the store themselves, without being copied,
   * where they are on the same file system. Nobody may have them open for writing.
   */
  readonly consume?: boolean;
  /** No time is later than this (seconds since the epoch): SOURCE_DATE_EPOCH. */
  readonly latest?: number;
}

/** Stores a layer. The caller announces it (`beginAddition`) until something in the index needs it, or a pin does. */
export function storeLayer(
  layout: StoreLayout,
  sources: Iterable<LayerSource>,
  { consume = false, latest }: StoreLayerOptions = {},
): NewLayer {
  using contents = new ContentWriter(layout.files, layout.temporary);
  const list = new LayerListWriter();
  const digester = new Digester();
  let size = 0;
  let contentBytes = 0;
  function take(bytes: Buffer): void {
    digester.update(bytes);
    size += bytes.length;
  }
  for (const source of sources) {
    const entry = latest === undefined ? source.entry : notAfter(source.entry, latest);
    const header = layerTarHeader(entry);
    if (!header) continue;
    take(header);
    contentBytes += entry.size;
    list.add(source.open ? { ...entry, contentId: storeContent(source.open, entry.size) } : entry);
    take(tarPadding(entry.size));
  }
  take(tarEnd);
  const diffId = digester.digest();
  markUnproven(layout.unprovenLayer(diffId));
  list.commit(layout.layerList(diffId));
  const descriptor = { mediaType: ociLayerTypes.tar, digest: diffId, size };
  return { diffId, descriptor, contentBytes, entries: list.count };

  function storeContent(open: () => number, length: number): Buffer {
    const fd = open();
    try {
      if (consume) return contents.adopt(fd, length, take);
      contents.begin(length);
      for (const chunk of readContent(fd, length)) {
        take(chunk);
        contents.write(chunk);
      }
      return contents.end();
    } finally {
      closeSync(fd);
    }
  }
}

function notAfter(entry: LayerEntry, latest: number): LayerEntry {
  return entry.mtime < latest ? entry : { ...entry, mtime: latest, mtimeNsec: 0 };
}
