/**
 * Puts contents into the content-addressed store: `files/ab/cdef…`, named by the sha256 of what they hold and by nothing an
 * archive says. A file gets its name only when it is complete (written under a temporary one, then renamed), so whatever has
 * a name is whole, and killing us leaves at most a temporary file.
 */
import { randomBytes, createHash, hash, type Hash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  fstatSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { contentPath } from 'fuse-overlay';
import { readContent } from '../layer/layer-tar.ts';

/** Up to here a content is gathered in memory, and not written at all where the store has it. */
const GATHER_LIMIT = 1024 * 1024;
const zeros = Buffer.alloc(64 * 1024);

interface LargeFile {
  readonly fd: number;
  readonly path: string;
  readonly hash: Hash;
}

export class ContentWriter {
  readonly #files: string;
  readonly #temporary: string;
  readonly #gathered = Buffer.allocUnsafeSlow(GATHER_LIMIT);
  /** A file that came in one piece, not copied. */
  #whole: Buffer | undefined;
  #large: LargeFile | undefined;
  #size = 0;
  #position = 0;
  #count = 0;
  /** Bytes and files that were new to the store. */
  newBytes = 0;
  newFiles = 0;

  /** `files`: the store's directory; `temporary`: one on the same file system. */
  constructor(files: string, temporary: string) {
    this.#files = files;
    this.#temporary = join(temporary, `content-${process.pid}-${randomBytes(6).toString('hex')}`);
  }

  /** Starts a content of `size` bytes. */
  begin(size: number): void {
    this.#size = size;
    this.#position = 0;
    this.#whole = undefined;
    if (size > GATHER_LIMIT) {
      const path = `${this.#temporary}-${this.#count++}`;
      this.#large = { path, fd: create(path), hash: createHash('sha256') };
    }
  }

  write(chunk: Buffer): void {
    if (this.#large) {
      this.#large.hash.update(chunk);
      writeAll(this.#large.fd, chunk, this.#position);
    } else if (chunk.length === this.#size) {
      this.#whole = chunk;
      // Only valid during this call, unless the content ends with it, which it does.
    } else {
      chunk.copy(this.#gathered, this.#position);
    }
    this.#position += chunk.length;
  }

  /** `size` zero bytes; in a large file a hole. */
  hole(size: number): void {
    if (this.#large) {
      for (let left = size; left > 0; left -= zeros.length) {
        this.#large.hash.update(left < zeros.length ? zeros.subarray(0, left) : zeros);
      }
    } else {
      this.#gathered.fill(0, this.#position, this.#position + size);
    }
    this.#position += size;
  }

  /** Ends the content and returns its id. */
  end(): Buffer {
    if (this.#position !== this.#size) throw new Error(`Content has ${this.#position} bytes, not ${this.#size}`);
    return this.#large ? this.#endLarge(this.#large) : this.#endSmall();
  }

  /**
   * Makes an open file of `size` bytes a content by giving it another name, without copying it; reading it once, for its hash,
   * is all. `onChunk` gets what is read. Copies where a link cannot be made.
   */
  adopt(fd: number, size: number, onChunk: (chunk: Buffer) => void): Buffer {
    const running = createHash('sha256');
    for (const chunk of readContent(fd, size)) {
      running.update(chunk);
      onChunk(chunk);
    }
    const id = running.digest();
    this.#size = size;
    if (this.#has(id)) return id;
    const path = `${this.#temporary}-${this.#count++}`;
    if (!linkOpenFile(fd, size, path)) {
      this.begin(size);
      for (const chunk of readContent(fd, size)) this.write(chunk);
      return this.end();
    }
    this.#publish(path, id);
    return id;
  }

  /** Drops a content under way. */
  [Symbol.dispose](): void {
    if (!this.#large) return;
    closeSync(this.#large.fd);
    rmSync(this.#large.path, { force: true });
    this.#large = undefined;
  }

  #endSmall(): Buffer {
    const content = this.#whole ?? this.#gathered.subarray(0, this.#size);
    const id = hash('sha256', content, 'buffer');
    if (this.#has(id)) return id;
    const path = `${this.#temporary}-${this.#count++}`;
    const fd = create(path);
    try {
      writeAll(fd, content, 0);
    } catch (error) {
      rmSync(path, { force: true });
      throw error;
    } finally {
      closeSync(fd);
    }
    this.#publish(path, id);
    return id;
  }

  #endLarge({ fd, path, hash: running }: LargeFile): Buffer {
    ftruncateSync(fd, this.#size);
    closeSync(fd);
    this.#large = undefined;
    const id = running.digest();
    if (this.#has(id)) rmSync(path);
    else this.#publish(path, id);
    return id;
  }

  /** A file of another size was cut off by a crash of the machine: it is replaced. */
  #has(id: Buffer): boolean {
    return statSync(join(this.#files, contentPath(id)), { throwIfNoEntry: false })?.size === this.#size;
  }

  #publish(path: string, id: Buffer): void {
    const target = join(this.#files, contentPath(id));
    try {
      renameSync(path, target);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      mkdirSync(join(target, '..'), { recursive: true });
      renameSync(path, target);
    }
    this.newBytes += this.#size;
    this.newFiles++;
  }
}

/** Gives an open file the further name `path`, owned by us and read-only; false where that is not possible. */
function linkOpenFile(fd: number, size: number, path: string): boolean {
  try {
    if (fstatSync(fd).size !== size) return false;
    linkSync(readlinkSync(`/proc/self/fd/${fd}`), path);
  } catch {
    return false;
  }
  const [linked, open] = [lstatSync(path), fstatSync(fd)];
  if (linked.ino !== open.ino || linked.dev !== open.dev) {
    rmSync(path);
    return false;
  }
  try {
    // 0 inside the user's namespace, where this is done for files of other ids.
    if (open.uid !== process.getuid!() || open.gid !== process.getgid!()) {
      chownSync(path, process.getuid!(), process.getgid!());
    }
    chmodSync(path, 0o444);
    const now = Date.now() / 1000;
    utimesSync(path, now, now);
    return true;
  } catch (error) {
    rmSync(path);
    throw error;
  }
}

function create(path: string): number {
  return openSync(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o444);
}

function writeAll(fd: number, content: Buffer, position: number): void {
  for (let at = 0; at < content.length;) at += writeSync(fd, content, at, content.length - at, position + at);
}
