/**
 * Downloads a blob into a file that is continued where an earlier attempt, of this process or another, left it. The file holds
 * nothing but what came from the registry, in order; whether it is the right thing is known at its end, by size and digest.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { writeSync } from 'node:fs';
import { Digester, type Digest } from '../digest.ts';
import { throwIfCancelled } from '../image-error.ts';
import type { RegistryClient } from './registry-client.ts';
import { connectionError, RegistryError } from './registry-error.ts';
import { waitOrGiveUp, type OnWait } from './retry.ts';

export interface BlobDownload {
  readonly client: RegistryClient;
  readonly repository: string;
  readonly digest: Digest;
  /** Bytes, as the manifest says. */
  readonly size: number;
  /** The file to continue. */
  readonly path: string;
  /** Called as the file grows, with its length. */
  readonly onProgress: (bytes: number) => void;
  readonly onWait?: OnWait;
  readonly signal: AbortSignal | undefined;
}

/** The file turned out to hold something else, maybe from an earlier attempt: remove it and start again. */
export class StalePartialError extends Error {}

const READ_SIZE = 1024 * 1024;

/**
 * Returns once the file is complete and proven. Throws StalePartialError, RegistryError (DAMAGED: the file is of no use), or Node's
 * error of the disk.
 */
export async function downloadBlob(download: BlobDownload): Promise<void> {
  const { digest, size, signal } = download;
  await using file = await open(download.path, 'a+', 0o600);
  const digester = new Digester();
  const resumed = await readExisting(file, size, digester, signal);
  if (resumed > 0) download.onProgress(resumed);
  let position = resumed;
  for (let tried = 1; position < size; tried++) {
    const before = position;
    try {
      for await (const chunk of blobChunks(download, position)) {
        writeAll(file.fd, chunk);
        digester.update(chunk);
        position += chunk.length;
        download.onProgress(position);
      }
      if (position < size)
        throw new RegistryError('UNAVAILABLE', `Cannot download blob ${digest}: unexpected EOF`, { isTransient: true });
    } catch (error) {
      // Patience is for a registry that sends nothing; one that sends a little each time gets there.
      if (position > before) tried = 1;
      await waitOrGiveUp(error, tried, download.client.retryPolicy, signal, download.onWait);
    }
  }
  const actual = digester.digest();
  if (actual === digest) return;
  if (resumed > 0) throw new StalePartialError(digest);
  throw new RegistryError(
    'DAMAGED',
    `filesystem layer verification failed for digest ${digest}: the registry served ${actual}`,
  );
}

async function readExisting(
  file: FileHandle,
  size: number,
  digester: Digester,
  signal: AbortSignal | undefined,
): Promise<number> {
  const existing = (await file.stat()).size;
  if (existing > size) {
    await file.truncate(0);
    return 0;
  }
  const buffer = Buffer.allocUnsafe(Math.min(READ_SIZE, existing));
  for (let at = 0; at < existing;) {
    throwIfCancelled(signal);
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, existing - at), at);
    if (bytesRead === 0) throw new Error(`${digester.digest()} shrank while it was read`);
    digester.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return existing;
}

/** The bytes from `position` on, of one connection. */
async function* blobChunks(download: BlobDownload, position: number): AsyncGenerator<Buffer> {
  const { client, repository, digest, size, signal } = download;
  const { start, response } = await client.openBlob(repository, digest, position, signal);
  // A registry without ranges sends everything again.
  let skip = position - start;
  let left = size - position;
  const stated = Number(response.headers['content-length']);
  if (Number.isSafeInteger(stated) && stated > size - start) {
    response.body.destroy();
    throw tooLong(digest, size);
  }
  try {
    for await (const whole of response.body as AsyncIterable<Buffer>) {
      const chunk = skip > 0 ? whole.subarray(skip) : whole;
      skip = Math.max(skip - whole.length, 0);
      if (chunk.length > left) throw tooLong(digest, size);
      left -= chunk.length;
      if (chunk.length > 0) yield chunk;
    }
  } catch (error) {
    throwIfCancelled(signal);
    throw error instanceof RegistryError ? error : connectionError(client.domain, error);
  }
}

function tooLong(digest: Digest, size: number): RegistryError {
  return new RegistryError('DAMAGED', `blob ${digest} is larger than the ${size} bytes that its manifest states`);
}

function writeAll(fd: number, chunk: Buffer): void {
  for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
}
