/**
 * Blobs that are not kept: with `"keep-blobs": false` a pulled layer's blob goes once it is unpacked, and `elsewhere/HEX` notes which
 * registry has it. Whoever needs its very bytes (push, save) gets them from there, proven by its digest.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { readJson, writeJson } from '../../state/atomic-file.ts';
import { Digester, digestHex, type Digest } from '../digest.ts';
import { ImageError } from '../image-error.ts';
import { openImageStore } from '../image-store.ts';
import { isObject } from '../json.ts';
import { openRegistry } from '../registry/open-registries.ts';
import { RegistryClient } from '../registry/registry-client.ts';
import type { StoreLayout } from '../store/layout.ts';

interface Source {
  readonly domain: string;
  readonly repository: string;
}

/** Notes where a blob is, and lets go of the file. */
export function leaveBlob(layout: StoreLayout, digest: Digest, source: Source): void {
  writeJson(notePath(layout, digest), source);
  rmSync(layout.blob(digest), { force: true });
}

export function isElsewhere(layout: StoreLayout, digest: Digest): boolean {
  return existsSync(notePath(layout, digest));
}

/** The blob from `start` on, as its registry sends it. Fails with DAMAGED where it is another one by now. */
export function openRemoteBlob(layout: StoreLayout, digest: Digest, start = 0): Readable {
  return Readable.from(remoteChunks(layout, digest, start), { objectMode: false });
}

async function* remoteChunks(layout: StoreLayout, digest: Digest, start: number): AsyncGenerator<Buffer> {
  const note = readJson<unknown>(notePath(layout, digest));
  if (!isObject(note) || typeof note['domain'] !== 'string' || typeof note['repository'] !== 'string') {
    throw new ImageError('DAMAGED', `The image store does not know where the blob ${digest} is; pull the image again`);
  }
  const session = openRegistry(openImageStore(layout.root), note['domain']);
  try {
    const client = new RegistryClient(session);
    const opened = await client.openBlob(note['repository'], digest, start, undefined);
    const digester = new Digester();
    let skip = start - opened.start;
    for await (const chunk of opened.response.body as AsyncIterable<Buffer>) {
      digester.update(chunk);
      const part = chunk.subarray(skip);
      skip = Math.max(skip - chunk.length, 0);
      if (part.length > 0) yield part;
    }
    if (opened.start === 0 && digester.digest() !== digest) {
      throw new ImageError('DAMAGED', `${note['domain']} has another blob than ${digest} by now`);
    }
  } finally {
    session.close();
  }
}

function notePath(layout: StoreLayout, digest: Digest): string {
  return join(layout.elsewhere, digestHex(digest));
}
