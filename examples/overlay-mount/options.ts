/** The command line of fuse-overlayfs: `overlay-mount [-f] [-d] [-o OPTION[,OPTION…]]… DIR`. */
import type { IdRange } from './mapped-lower.ts';

export interface OverlayMountOptions {
  /** Topmost first. */
  readonly lower: readonly string[];
  /** Undefined: a read-only mount. */
  readonly upper: string | undefined;
  readonly work: string | undefined;
  readonly target: string;
  readonly foreground: boolean;
  readonly debug: boolean;
  /** Every file is shown as this owner's. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  /** Owners on disk and as shown; empty: the same. */
  readonly uids: readonly IdRange[];
  readonly gids: readonly IdRange[];
  /** Seconds that the kernel may keep what it knows of lower files. */
  readonly timeout: number | undefined;
  /** Extended attributes are not supported. */
  readonly noXattrs: boolean;
  /** Lower directories are shown with one link. */
  readonly staticLinks: boolean;
  /** The kernel gathers small writes. */
  readonly writeback: boolean;
  readonly quota: { readonly size?: number; readonly inodes?: number };
}

export class UsageError extends Error {}

/** Options of fuse-overlayfs and mount(8) that ask for what is the case anyway, or for nothing that this server has a choice in. */
const ignored = new Set([
  ...[
    'allow_other',
    'allow_root',
    'default_permissions',
    'dev',
    'nodev',
    'suid',
    'nosuid',
    'exec',
    'rw',
    'noatime',
    'relatime',
  ],
  ...['threaded', 'fsync', 'plugins', 'volatile', 'sync', 'ino32_t', 'xino', 'max_idle_threads'],
  ...['noacl', 'fast_ino', 'xattr_permissions', 'context'],
]);

export function parseArguments(args: readonly string[]): OverlayMountOptions {
  const options = new Map<string, string>();
  const positional: string[] = [];
  let foreground = false;
  let debug = false;
  for (let at = 0; at < args.length; at++) {
    const argument = args[at]!;
    if (argument === '-f') foreground = true;
    else if (argument === '-d' || argument === '--debug') debug = foreground = true;
    else if (argument === '-o') readOptions(args[++at] ?? '', options);
    else if (argument.startsWith('-o')) readOptions(argument.slice(2), options);
    else if (argument.startsWith('-') && argument !== '-') throw new UsageError(`unknown flag ${argument}`);
    else positional.push(argument);
  }
  const target = positional[0];
  if (target === undefined || positional.length > 1) throw new UsageError('give one directory to mount on');
  const lower = splitPaths(options.get('lowerdir') ?? '');
  if (lower.length === 0) throw new UsageError('give the lower directories: -o lowerdir=DIR[:DIR…]');
  return {
    ...{ lower, upper: options.get('upperdir'), work: options.get('workdir'), target, foreground, debug },
    owner: readOwner(options),
    uids: readRanges(options, 'uidmapping'),
    gids: readRanges(options, 'gidmapping'),
    timeout: readNumber(options, 'timeout'),
    noXattrs: options.has('noxattrs') && options.get('noxattrs') !== '0',
    staticLinks: options.has('static_nlink') && options.get('static_nlink') !== '0',
    writeback: options.has('writeback') && options.get('writeback') !== '0',
    quota: {
      ...(options.has('size') && { size: readNumber(options, 'size')! }),
      ...(options.has('inodes') && { inodes: readNumber(options, 'inodes')! }),
    },
  };
}

function readOptions(text: string, into: Map<string, string>): void {
  for (const option of split(text, ',')) {
    const [name, ...value] = option.split('=');
    if (!known.has(name!) && !ignored.has(name!)) throw new UsageError(`unknown option ${name}`);
    into.set(name!, value.join('='));
  }
}

const known = new Set([
  'lowerdir',
  'upperdir',
  'workdir',
  'uidmapping',
  'gidmapping',
  'squash_to_root',
  'squash_to_uid',
  'squash_to_gid',
  'noxattrs',
  'static_nlink',
  'timeout',
  'writeback',
  'size',
  'inodes',
]);

function readOwner(options: ReadonlyMap<string, string>): { uid: number; gid: number } | undefined {
  if (options.has('squash_to_root')) return { uid: 0, gid: 0 };
  const [uid, gid] = [readNumber(options, 'squash_to_uid'), readNumber(options, 'squash_to_gid')];
  if (uid === undefined && gid === undefined) return undefined;
  return { uid: uid ?? 0, gid: gid ?? 0 };
}

/** `FROM:TO:COUNT[:FROM:TO:COUNT…]` */
function readRanges(options: ReadonlyMap<string, string>, name: string): IdRange[] {
  const text = options.get(name);
  if (text === undefined) return [];
  const ids = text.split(':').map(Number);
  if (ids.length % 3 !== 0 || !ids.every(Number.isSafeInteger)) throw new UsageError(`${name} wants FROM:TO:COUNT`);
  return Array.from({ length: ids.length / 3 }, (_, index) => {
    const [from, to, count] = ids.slice(index * 3) as [number, number, number];
    return { from, to, count };
  });
}

function readNumber(options: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = options.get(name);
  if (text === undefined) return undefined;
  const match = /^(\d+(?:\.\d+)?)([kMGT]?)$/i.exec(text);
  if (!match) throw new UsageError(`${name} wants a number, not ${JSON.stringify(text)}`);
  return Number(match[1]) * 1024 ** ['', 'k', 'm', 'g', 't'].indexOf(match[2]!.toLowerCase());
}

/** Splits at the separator, which a backslash before it makes an ordinary character. */
function split(text: string, separator: ',' | ':'): string[] {
  const pattern = separator === ',' ? /(?:\\.|[^\\,])+/gs : /(?:\\.|[^\\:])+/gs;
  return text.match(pattern) ?? [];
}

function splitPaths(text: string): string[] {
  return split(text, ':').map((path) => path.replace(/\\(.)/gs, '$1'));
}
