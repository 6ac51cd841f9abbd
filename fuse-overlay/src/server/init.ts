/** FUSE_INIT: the version and the features that kernel and server have in common. */
import { initFlags, type InitFlag } from '../protocol/init-flags.ts';
import { structs } from '../protocol/structs.ts';
import { errno } from '../sys/errors.ts';
import { maxPayload, type Exchange } from './exchange.ts';
import type { FileSystem } from './file-system.ts';

const { initIn, initOut } = structs;

const major = 7;
/** The newest minor version whose messages this server knows. */
const newestMinor = 41;
/** Linux 4.18, the first kernel with mounts in user namespaces, speaks 7.27. */
const oldestMinor = 27;

/** Asked for whatever the file system is: each only permits the kernel something that costs nothing. */
const always: readonly InitFlag[] = [
  'ASYNC_READ',
  'BIG_WRITES',
  'PARALLEL_DIROPS',
  'MAX_PAGES',
  'NO_OPEN_SUPPORT',
  'NO_OPENDIR_SUPPORT',
  'SETXATTR_EXT',
  'INIT_EXT',
  'HAS_EXPIRE_ONLY',
  'HAS_RESEND',
];

/** Requests that the kernel may have under way in the background (read-ahead, write-back), and when it holds writers back. */
const maxBackground = 64;
const congestionThreshold = 48;
const maxPages = maxPayload / 4096;

export type Negotiation =
  | { kind: 'ready'; payload: number; features: ReadonlySet<string> }
  /** The kernel's major version is newer: it asks again with ours. */
  | { kind: 'again'; payload: number }
  | { kind: 'refused'; error: number; problem: string };

/** The features that a file system's session asks for. */
export function wantedFeatures(fs: FileSystem): Set<string> {
  const wanted = new Set<string>([...always, ...(fs.session?.features ?? [])]);
  if (fs.readdir) wanted.add('DO_READDIRPLUS');
  for (const name of wanted) {
    if (!(name in initFlags)) throw new RangeError(`Unknown FUSE feature ${JSON.stringify(name)}`);
  }
  return wanted;
}

/** Reads the INIT at hand and writes the reply's payload. */
export function negotiate(fs: FileSystem, x: Exchange): Negotiation {
  const kernelMajor = x.u32(initIn.at.major);
  const kernelMinor = x.u32(initIn.at.minor);
  x.clear(initOut.size);
  x.put32(initOut.at.major, major);
  x.put32(initOut.at.minor, Math.min(kernelMinor, newestMinor));
  if (kernelMajor > major) return { kind: 'again', payload: initOut.size };
  if (kernelMajor < major || kernelMinor < oldestMinor) {
    const problem = `the kernel speaks FUSE ${kernelMajor}.${kernelMinor}, ${major}.${oldestMinor} is needed`;
    return { kind: 'refused', error: -errno.EPROTO, problem };
  }

  const features = new Set<string>();
  const offered = x.u32(initIn.at.flags);
  const extended = x.bodyLength >= initIn.size && hasBit(offered, initFlags.INIT_EXT);
  const offered2 = extended ? x.u32(initIn.at.flags2) : 0;
  let flags = 0;
  let flags2 = 0;
  for (const name of wantedFeatures(fs)) {
    const bit = initFlags[name as InitFlag];
    if (!hasBit(bit < 32 ? offered : offered2, bit % 32)) continue;
    features.add(name);
    if (bit < 32) flags |= 1 << bit;
    else flags2 |= 1 << (bit - 32);
  }

  const maxWrite = Math.min(fs.session?.maxWrite ?? maxPayload, maxPayload);
  x.put32(initOut.at.max_readahead, Math.min(x.u32(initIn.at.max_readahead), fs.session?.maxReadahead ?? 0xffffffff));
  x.put32(initOut.at.flags, flags);
  x.put16(initOut.at.max_background, maxBackground);
  x.put16(initOut.at.congestion_threshold, congestionThreshold);
  x.put32(initOut.at.max_write, maxWrite);
  x.put32(initOut.at.time_gran, 1);
  x.put16(initOut.at.max_pages, maxPages);
  x.put32(initOut.at.flags2, flags2);
  return { kind: 'ready', payload: initOut.size, features };
}

function hasBit(flags: number, bit: number): boolean {
  return ((flags >>> bit) & 1) === 1;
}
