/**
 * A streaming reader of tar archives: push chunks in, entries and their contents come out synchronously. It never opens a file,
 * so nothing an archive says can reach the host from here.
 *
 * Why not node-tar's Parser: it drops SCHILY.xattr records (file capabilities), knows no sparse files, decodes paths as UTF-8
 * and makes a stream object of each entry; this one passes subarrays of its input on.
 *
 * States: `header` and `extension` gather one block, `meta` gathers a long name or pax header, `map` the blocks of a sparse map,
 * `data` passes a payload on, `skip` drops padding, `done` ignores what follows the end marker, as every tar does.
 */
import { paxInteger, paxPath, paxSparse, paxTime, paxXattrs, parsePax, type PaxRecords } from './pax.ts';
import { appendRuns, SparseExpander, SparseMapReader } from './sparse.ts';
import {
  BLOCK,
  decodeHeader,
  decodeOldSparse,
  decodeSparseExtension,
  TarError,
  type DataRun,
  type TarHeader,
} from './tar-header.ts';

export type TarEntryType = 'file' | 'hardlink' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';

export interface TarEntry {
  readonly type: TarEntryType;
  /** Bytes as they stand in the archive. */
  readonly path: Buffer;
  readonly linkPath: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of the file once holes are filled in; 0 for everything but files. */
  readonly size: number;
  readonly mtime: number;
  readonly mtimeNsec: number;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: readonly { name: Buffer; value: Buffer }[];
}

export interface TarSink {
  entry(entry: TarEntry): void;
  /** Content of the last entry, a file; valid only during the call. */
  data(chunk: Buffer): void;
  /** `size` zero bytes of content. */
  hole(size: number): void;
  /** The last entry is complete. */
  endOfEntry(): void;
}

/** The same limit as Go's archive/tar: a long name or a pax header above it is an attack. */
const META_LIMIT = 1024 * 1024;

const types: Readonly<Record<string, TarEntryType>> = {
  '0': 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '5': 'directory',
  '6': 'fifo',
  // A contiguous file is a file.
  '7': 'file',
  S: 'file',
};

type State = 'header' | 'extension' | 'meta' | 'map' | 'data' | 'skip' | 'done';

export class TarReader {
  readonly #sink: TarSink;
  #state: State = 'header';
  readonly #block = Buffer.alloc(BLOCK);
  #gathered = 0;
  #remaining = 0;
  #padding = 0;
  #meta = Buffer.alloc(0);
  #metaType = '';
  #pax: PaxRecords = new Map();
  #longPath: Buffer | undefined;
  #longLinkPath: Buffer | undefined;
  #header: TarHeader | undefined;
  #realSize = 0;
  #runs: DataRun[] = [];
  #sparsePath: Buffer | undefined;
  #map: SparseMapReader | undefined;
  #sparse: SparseExpander | undefined;
  #zeroBlocks = 0;

  constructor(sink: TarSink) {
    this.#sink = sink;
  }

  /** Takes the next piece of the archive. Throws TarError where it is malformed, and whatever the sink throws. */
  write(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      switch (this.#state) {
        case 'header':
        case 'extension':
        case 'map': {
          const block = this.#gatherBlock(chunk, at);
          at += block.taken;
          if (block.whole) this.#onBlock(block.whole);
          break;
        }
        case 'meta':
          at += this.#gatherMeta(chunk, at);
          break;
        case 'data': {
          const part = chunk.subarray(at, at + this.#remaining);
          at += part.length;
          this.#remaining -= part.length;
          this.#content(part);
          if (this.#remaining === 0) this.#endOfEntry();
          break;
        }
        case 'skip': {
          const skipped = Math.min(this.#padding, chunk.length - at);
          at += skipped;
          this.#padding -= skipped;
          if (this.#padding === 0) this.#state = 'header';
          break;
        }
        case 'done':
          return;
      }
    }
  }

  /** The archive is over. Throws where it stops in the middle of something. */
  end(): void {
    // Missing end blocks and a cut-off last padding are common and harmless.
    const isBetweenEntries = (this.#state === 'header' && this.#gathered === 0) || this.#state === 'skip';
    if (this.#state !== 'done' && !isBetweenEntries) throw new TarError('it ends in the middle of an entry');
  }

  #gatherBlock(chunk: Buffer, at: number): { taken: number; whole?: Buffer } {
    if (this.#gathered === 0 && chunk.length - at >= BLOCK)
      return { taken: BLOCK, whole: chunk.subarray(at, at + BLOCK) };
    const taken = chunk.copy(this.#block, this.#gathered, at);
    this.#gathered += taken;
    if (this.#gathered < BLOCK) return { taken };
    this.#gathered = 0;
    return { taken, whole: this.#block };
  }

  #onBlock(block: Buffer): void {
    if (this.#state === 'extension') this.#onExtension(block);
    else if (this.#state === 'map') this.#onMapBlock(block);
    else this.#onHeader(block);
  }

  #onHeader(block: Buffer): void {
    const header = decodeHeader(block);
    if (!header) {
      if (++this.#zeroBlocks === 2) this.#state = 'done';
      return;
    }
    this.#zeroBlocks = 0;
    switch (header.type) {
      case 'x':
      case 'g':
      case 'L':
      case 'K':
        if (header.size > META_LIMIT) throw new TarError(`an extended header has over ${META_LIMIT} bytes`);
        this.#metaType = header.type;
        this.#meta = Buffer.allocUnsafe(header.size);
        this.#gathered = 0;
        this.#state = 'meta';
        this.#padding = padding(header.size);
        if (header.size === 0) this.#onMeta();
        return;
    }
    this.#header = header;
    if (header.type !== 'S') return this.#begin();
    const { realSize, runs, extended } = decodeOldSparse(block);
    this.#realSize = realSize;
    this.#runs = runs;
    if (extended) this.#state = 'extension';
    else this.#begin();
  }

  #onExtension(block: Buffer): void {
    const { runs, extended } = decodeSparseExtension(block);
    appendRuns(this.#runs, runs);
    if (!extended) this.#begin();
  }

  #gatherMeta(chunk: Buffer, at: number): number {
    const taken = chunk.copy(this.#meta, this.#gathered, at);
    this.#gathered += taken;
    if (this.#gathered === this.#meta.length) this.#onMeta();
    return taken;
  }

  #onMeta(): void {
    const meta = this.#meta;
    this.#gathered = 0;
    this.#meta = Buffer.alloc(0);
    this.#state = this.#padding > 0 ? 'skip' : 'header';
    if (this.#metaType === 'x') this.#pax = parsePax(meta);
    else if (this.#metaType === 'L') this.#longPath = cString(meta);
    else if (this.#metaType === 'K') this.#longLinkPath = cString(meta);
    // Global headers ('g') hold a comment of git's or defaults that no layer uses; Docker drops them, too.
  }

  /** All headers of an entry are here: tell the sink, and decide what its payload is. */
  #begin(): void {
    const header = this.#header!;
    const pax = this.#pax;
    const stated = paxInteger(pax, 'size') ?? header.size;
    if (stated < 0) throw new TarError('a pax header has a negative size');
    const sparse = header.type === 'S' ? undefined : paxSparse(pax);
    if (sparse?.path) this.#sparsePath = sparse.path;
    const type = this.#typeOf(header);
    const payload = type === 'file' ? stated : 0;
    this.#remaining = payload;
    this.#padding = padding(payload);
    if (header.type === 'S') {
      this.#sparse = new SparseExpander(this.#runs, this.#realSize, payload);
    } else if (sparse && type === 'file') {
      this.#realSize = sparse.realSize;
      if (!sparse.runs) {
        this.#map = new SparseMapReader();
        this.#state = 'map';
        if (payload < BLOCK) throw new TarError('a sparse map does not fit its payload');
        return;
      }
      this.#sparse = new SparseExpander(sparse.runs, sparse.realSize, payload);
    } else {
      this.#realSize = payload;
    }
    this.#emit(type);
  }

  #onMapBlock(block: Buffer): void {
    const map = this.#map!;
    const isComplete = map.add(block);
    if (!isComplete && this.#remaining - map.consumed < BLOCK) {
      throw new TarError('a sparse map does not fit its payload');
    }
    if (!isComplete) return;
    this.#remaining -= map.consumed;
    this.#sparse = new SparseExpander(map.runs, this.#realSize, this.#remaining);
    this.#emit('file');
  }

  #typeOf(header: TarHeader): TarEntryType {
    const type = types[header.type];
    const path = this.#path();
    if (type === undefined) {
      throw new TarError(
        `entry ${JSON.stringify(path.toString())} has the unknown type ${JSON.stringify(header.type)}`,
      );
    }
    // Before POSIX a directory was a file whose name ends in a slash.
    return type === 'file' && path.at(-1) === 0x2f ? 'directory' : type;
  }

  #path(): Buffer {
    return this.#sparsePath ?? paxPath(this.#pax, 'path') ?? this.#longPath ?? this.#header!.path;
  }

  #emit(type: TarEntryType): void {
    const header = this.#header!;
    const pax = this.#pax;
    const time = paxTime(pax, 'mtime') ?? { seconds: header.mtime, nanoseconds: 0 };
    this.#sink.entry({
      type,
      path: this.#path(),
      linkPath: paxPath(pax, 'linkpath') ?? this.#longLinkPath ?? header.linkPath,
      mode: header.mode,
      uid: paxInteger(pax, 'uid') ?? header.uid,
      gid: paxInteger(pax, 'gid') ?? header.gid,
      size: type === 'file' ? this.#realSize : 0,
      mtime: time.seconds,
      mtimeNsec: time.nanoseconds,
      major: header.major,
      minor: header.minor,
      xattrs: paxXattrs(pax),
    });
    if (this.#remaining > 0) this.#state = 'data';
    else this.#endOfEntry();
  }

  #content(part: Buffer): void {
    const sink = this.#sink;
    if (!this.#sparse) return sink.data(part);
    this.#sparse.write(
      part,
      (chunk) => sink.data(chunk),
      (size) => sink.hole(size),
    );
  }

  #endOfEntry(): void {
    this.#sparse?.end((size) => this.#sink.hole(size));
    this.#sink.endOfEntry();
    this.#pax = new Map();
    this.#longPath = this.#longLinkPath = this.#sparsePath = undefined;
    this.#sparse = this.#map = this.#header = undefined;
    this.#runs = [];
    this.#state = this.#padding > 0 ? 'skip' : 'header';
  }
}

function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

function cString(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}
