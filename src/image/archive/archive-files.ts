/**
 * The members of an image archive, spooled: archives come as streams, and what says what the members are may come last. Each member
 * lies in a file of a number of its own, so that names lead nowhere; they are keys of a map.
 */
import { closeSync, constants, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join, posix } from 'node:path';
import { Digester, type Digest } from '../digest.ts';
import { ImageError } from '../image-error.ts';
import type { ImageStore } from '../image-store.ts';
import { MANIFEST_LIMIT } from '../manifest.ts';
import { decompress } from '../unpack/decompress.ts';
import { describeFailure, unpackError } from '../unpack/unpack-failure.ts';
import { TarError } from '../unpack/tar-header.ts';
import { TarReader, type TarEntry, type TarSink } from '../unpack/tar-reader.ts';

export interface ArchiveFile {
  readonly path: string;
  readonly size: number;
  readonly digest: Digest;
}

/** No image has this many layers. */
const MEMBER_LIMIT = 100_000;

export class ArchiveFiles implements TarSink, Disposable {
  readonly #folder: string;
  readonly #files = new Map<string, ArchiveFile>();
  readonly #links = new Map<string, string>();
  #current: { name: string; path: string; fd: number; size: number; digester: Digester } | undefined;
  #members = 0;

  /** `temporary`: a folder on the store's file system. */
  constructor(temporary: string) {
    this.#folder = mkdtempSync(join(temporary, 'archive-'));
  }

  entry({ type, path, linkPath }: TarEntry): void {
    if (++this.#members > MEMBER_LIMIT) throw new TarError(`it has over ${MEMBER_LIMIT} members`);
    const name = memberName(path.toString());
    if (type === 'symlink') this.#links.set(name, memberName(posix.join(posix.dirname(name), linkPath.toString())));
    if (type === 'hardlink') this.#links.set(name, memberName(linkPath.toString()));
    if (type !== 'file') return;
    const place = join(this.#folder, String(this.#members));
    const fd = openSync(place, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
    this.#current = { name, path: place, fd, size: 0, digester: new Digester() };
  }

  data(chunk: Buffer): void {
    const current = this.#current;
    if (!current) return;
    current.digester.update(chunk);
    current.size += chunk.length;
    for (let at = 0; at < chunk.length;) at += writeSync(current.fd, chunk, at);
  }

  hole(): void {
    throw new TarError('it has sparse members, which no image archive has');
  }

  endOfEntry(): void {
    const current = this.#current;
    if (!current) return;
    this.#current = undefined;
    closeSync(current.fd);
    const { name, path, size, digester } = current;
    this.#files.set(name, { path, size, digest: digester.digest() });
  }

  /** The member of a name, links followed within the archive. */
  find(name: string): ArchiveFile | undefined {
    let at = memberName(name);
    for (let links = 0; links < 10; links++) {
      const file = this.#files.get(at);
      if (file) return file;
      const next = this.#links.get(at);
      if (next === undefined) return undefined;
      at = next;
    }
    return undefined;
  }

  /** The member of a name, which has to be there. */
  get(name: string): ArchiveFile {
    const file = this.find(name);
    if (file) return file;
    throw new ImageError('INVALID', `The archive lacks ${JSON.stringify(name.slice(0, 200))}, which it refers to`);
  }

  /** A small member whole. */
  read(name: string, limit = MANIFEST_LIMIT): Buffer {
    const file = this.get(name);
    if (file.size > limit)
      throw new ImageError('INVALID', `The archive's ${JSON.stringify(name)} is over ${limit} bytes`);
    return readFileSync(file.path);
  }

  [Symbol.dispose](): void {
    if (this.#current) closeSync(this.#current.fd);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Reads an archive to its end; plain, gzip or zstd. Throws ImageError. */
export async function spoolArchive(
  { layout, limits }: ImageStore,
  source: AsyncIterable<Buffer>,
  shownAs: string,
): Promise<ArchiveFiles> {
  const files = new ArchiveFiles(layout.temporary);
  try {
    const reader = new TarReader(files);
    let bytes = 0;
    for await (const chunk of decompress(source)) {
      bytes += chunk.length;
      if (bytes > limits.layerBytes) throw new TarError(`it has over ${limits.layerBytes} bytes`);
      reader.write(chunk);
    }
    reader.end();
    return files;
  } catch (error) {
    files[Symbol.dispose]();
    throw unpackError(describeFailure(error), shownAs, 'read');
  }
}

/** Without what different tools write differently: `./`, doubled slashes. */
function memberName(name: string): string {
  return posix.normalize(name).replace(/^(?:\.\.?\/|\/)+/, '');
}
