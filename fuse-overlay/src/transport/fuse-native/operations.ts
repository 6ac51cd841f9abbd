/** What fuse-native asks for, by path and with a callback each, as requests of the kernel protocol. */
import { FATTR_ATIME, FATTR_GID, FATTR_MODE, FATTR_MTIME, FATTR_SIZE, FATTR_UID } from '../../protocol/flags.ts';
import { recordAlign, structs } from '../../protocol/structs.ts';
import { errno } from '../../sys/errors.ts';
import { pack, RequestError, text, type PathClient } from './path-client.ts';

type Callback = (error: number, ...results: unknown[]) => void;
export type Operations = Record<string, (...args: never[]) => void>;

const { attr, dirent, kstatfs, openOut, writeOut, getxattrOut } = structs;

/** How much one READDIR may reply. */
const listingSize = 64 * 1024;
const unchanged = -1;

interface Handle {
  readonly nodeId: number;
  /** Of the file system; 0 where it has no handles. */
  readonly handle: number;
}

export function pathOperations(client: PathClient): Operations {
  /** By the descriptor that fuse-native was given. */
  const handles = new Map<number, Handle>();
  let next = 1;

  /** Answers a callback with what `work` gives, or with its errno. */
  function answer(callback: Callback, work: Promise<readonly unknown[]>): void {
    work.then(
      (results) => callback(0, ...results),
      (error: unknown) => callback(error instanceof RequestError ? error.code : -errno.EIO),
    );
  }

  async function open(path: string, flags: number): Promise<[number]> {
    return client.with(path, async ({ nodeId }) => {
      let handle = 0;
      try {
        const opened = await client.ask('OPEN', nodeId, pack('openIn', { flags }));
        handle = Number(opened.readBigUInt64LE(openOut.at.fh));
      } catch (error) {
        if (!(error instanceof RequestError) || error.code !== -errno.ENOSYS) throw error;
      }
      handles.set(next, { nodeId, handle });
      return [next++] as [number];
    });
  }

  function change(path: string, values: Record<string, number>): Promise<[]> {
    return client.with(path, async ({ nodeId }) => {
      await client.ask('SETATTR', nodeId, pack('setattrIn', values));
      return [];
    });
  }

  /** The file that is open under a path: libfuse keeps a name for what was removed until the last close. */
  function fileOf(
    path: string,
    fd: number,
    use: (file: Handle) => Promise<readonly unknown[]>,
  ): Promise<readonly unknown[]> {
    const handle = handles.get(fd)?.handle ?? 0;
    return client.with(path, ({ nodeId }) => use({ nodeId, handle }));
  }

  async function list(nodeId: number): Promise<string[]> {
    const names: string[] = [];
    for (let offset = 0; ;) {
      const page = await client.ask('READDIR', nodeId, pack('readIn', { offset, size: listingSize }));
      if (page.length === 0) return names;
      for (let at = 0; at < page.length;) {
        const length = page.readUInt32LE(at + dirent.at.namelen);
        offset = Number(page.readBigUInt64LE(at + dirent.at.off));
        names.push(page.toString('utf8', at + dirent.size, at + dirent.size + length));
        at += Math.ceil((dirent.size + length) / recordAlign) * recordAlign;
      }
    }
  }

  async function value(path: string, opcode: 'GETXATTR' | 'LISTXATTR', name: readonly Buffer[]): Promise<Buffer> {
    return client.with(path, async ({ nodeId }) => {
      const size = (await client.ask(opcode, nodeId, pack('getxattrIn', {}), ...name)).readUInt32LE(
        getxattrOut.at.size,
      );
      return size === 0 ? Buffer.alloc(0) : client.ask(opcode, nodeId, pack('getxattrIn', { size }), ...name);
    });
  }

  const nothing: readonly unknown[] = [];
  return {
    getattr: (path: string, callback: Callback) =>
      answer(
        callback,
        client.with(path, ({ attributes }) => [readStat(attributes)]),
      ),
    readdir: (path: string, callback: Callback) =>
      answer(
        callback,
        client.with(path, async ({ nodeId }) => [await list(nodeId)]),
      ),
    readlink: (path: string, callback: Callback) =>
      answer(
        callback,
        client.with(path, async ({ nodeId }) => [(await client.ask('READLINK', nodeId)).toString()]),
      ),
    open: (path: string, flags: number, callback: Callback) => answer(callback, open(path, flags)),
    create: (path: string, mode: number, callback: Callback) =>
      answer(
        callback,
        client
          .within(path, (folder, name) => client.make('MKNOD', folder, pack('mknodIn', { mode }), text(name)))
          .then(() => open(path, 2)),
      ),
    release: (_path: string, fd: number, callback: Callback) => {
      const file = handles.get(fd);
      handles.delete(fd);
      answer(
        callback,
        file && file.handle !== 0
          ? client.ask('RELEASE', file.nodeId, pack('releaseIn', { fh: file.handle })).then(() => nothing)
          : Promise.resolve(nothing),
      );
    },
    read: (
      path: string,
      fd: number,
      into: Buffer,
      length: number,
      offset: number,
      callback: (count: number) => void,
    ) => {
      fileOf(path, fd, async ({ nodeId, handle }) => [
        await client.ask('READ', nodeId, pack('readIn', { fh: handle, offset, size: length })),
      ]).then(
        ([data]) => callback((data as Buffer).copy(into)),
        (error: unknown) => callback(error instanceof RequestError ? error.code : -errno.EIO),
      );
    },
    write: (
      path: string,
      fd: number,
      from: Buffer,
      length: number,
      offset: number,
      callback: (count: number) => void,
    ) => {
      const data = Buffer.from(from.subarray(0, length));
      fileOf(path, fd, async ({ nodeId, handle }) => [
        (await client.ask('WRITE', nodeId, pack('writeIn', { fh: handle, offset, size: length }), data)).readUInt32LE(
          writeOut.at.size,
        ),
      ]).then(
        ([count]) => callback(count as number),
        (error: unknown) => callback(error instanceof RequestError ? error.code : -errno.EIO),
      );
    },
    fsync: (path: string, dataOnly: number, fd: number, callback: Callback) =>
      answer(
        callback,
        fileOf(path, fd, async ({ nodeId, handle }) => {
          await client.ask('FSYNC', nodeId, pack('fsyncIn', { fh: handle, fsync_flags: dataOnly ? 1 : 0 }));
          return nothing;
        }),
      ),
    truncate: (path: string, size: number, callback: Callback) =>
      answer(callback, change(path, { valid: FATTR_SIZE, size })),
    ftruncate: (path: string, _fd: number, size: number, callback: Callback) =>
      answer(callback, change(path, { valid: FATTR_SIZE, size })),
    chmod: (path: string, mode: number, callback: Callback) =>
      answer(callback, change(path, { valid: FATTR_MODE, mode })),
    chown: (path: string, uid: number, gid: number, callback: Callback) => {
      const valid = (uid >> 0 === unchanged ? 0 : FATTR_UID) | (gid >> 0 === unchanged ? 0 : FATTR_GID);
      answer(callback, change(path, { valid, uid, gid }));
    },
    // Milliseconds, which is as fine as fuse-native has them.
    utimens: (path: string, atime: number, mtime: number, callback: Callback) => {
      const [a, m] = [splitTime(atime), splitTime(mtime)];
      const times = { atime: a.sec, atimensec: a.nsec, mtime: m.sec, mtimensec: m.nsec };
      answer(callback, change(path, { valid: FATTR_ATIME | FATTR_MTIME, ...times }));
    },
    mknod: (path: string, mode: number, rdev: number, callback: Callback) =>
      answer(
        callback,
        client
          .within(path, (folder, name) => client.make('MKNOD', folder, pack('mknodIn', { mode, rdev }), text(name)))
          .then(() => nothing),
      ),
    mkdir: (path: string, mode: number, callback: Callback) =>
      answer(
        callback,
        client
          .within(path, (folder, name) => client.make('MKDIR', folder, pack('mkdirIn', { mode }), text(name)))
          .then(() => nothing),
      ),
    symlink: (target: string, path: string, callback: Callback) =>
      answer(
        callback,
        client
          .within(path, (folder, name) => client.make('SYMLINK', folder, text(name), text(target)))
          .then(() => nothing),
      ),
    link: (from: string, to: string, callback: Callback) =>
      answer(
        callback,
        client
          .with(from, ({ nodeId }) =>
            client.within(to, (folder, name) =>
              client.make('LINK', folder, pack('linkIn', { oldnodeid: nodeId }), text(name)),
            ),
          )
          .then(() => nothing),
      ),
    unlink: (path: string, callback: Callback) =>
      answer(
        callback,
        client.within(path, (folder, name) => client.ask('UNLINK', folder, text(name))).then(() => []),
      ),
    rmdir: (path: string, callback: Callback) =>
      answer(
        callback,
        client.within(path, (folder, name) => client.ask('RMDIR', folder, text(name))).then(() => []),
      ),
    rename: (from: string, to: string, callback: Callback) =>
      answer(
        callback,
        client
          .within(from, (folder, name) =>
            client.within(to, (newdir, newName) =>
              client.ask('RENAME', folder, pack('renameIn', { newdir }), text(name), text(newName)),
            ),
          )
          .then(() => nothing),
      ),
    statfs: (_path: string, callback: Callback) =>
      answer(
        callback,
        client.with('/', async ({ nodeId }) => [readStatFs(await client.ask('STATFS', nodeId))]),
      ),
    setxattr: (path: string, name: string, data: Buffer, _position: number, flags: number, callback: Callback) => {
      const bytes = Buffer.from(data);
      // Without SETXATTR_EXT the kernel sends the first two fields alone.
      const head = pack('setxattrIn', { size: bytes.length, flags }).subarray(0, structs.setxattrIn.at.setxattr_flags);
      answer(
        callback,
        client.with(path, async ({ nodeId }) => {
          await client.ask('SETXATTR', nodeId, head, text(name), bytes);
          return nothing;
        }),
      );
    },
    getxattr: (path: string, name: string, _position: number, callback: Callback) =>
      answer(
        callback,
        value(path, 'GETXATTR', [text(name)]).then((bytes) => [bytes]),
      ),
    listxattr: (path: string, callback: Callback) =>
      answer(
        callback,
        value(path, 'LISTXATTR', []).then((bytes) => [bytes.toString().split('\0').filter(Boolean)]),
      ),
    removexattr: (path: string, name: string, callback: Callback) =>
      answer(
        callback,
        client.with(path, async ({ nodeId }) => {
          await client.ask('REMOVEXATTR', nodeId, text(name));
          return nothing;
        }),
      ),
  };
}

function splitTime(milliseconds: number): { sec: number; nsec: number } {
  const sec = Math.floor(milliseconds / 1000);
  return { sec, nsec: Math.round((milliseconds - sec * 1000) * 1e6) };
}

/** As fuse-native wants it, which is as fs.Stats. */
function readStat(from: Buffer): Record<string, number | Date> {
  function wide(field: 'ino' | 'size' | 'blocks' | 'atime' | 'mtime' | 'ctime'): number {
    return Number(from.readBigInt64LE(attr.at[field]));
  }
  function time(field: 'atime' | 'mtime' | 'ctime'): Date {
    return new Date(wide(field) * 1000 + from.readUInt32LE(attr.at[`${field}nsec`]) / 1e6);
  }
  function narrow(field: 'mode' | 'nlink' | 'uid' | 'gid' | 'rdev' | 'blksize'): number {
    return from.readUInt32LE(attr.at[field]);
  }
  return {
    ...{ ino: wide('ino'), size: wide('size'), blocks: wide('blocks'), dev: 0 },
    ...{ atime: time('atime'), mtime: time('mtime'), ctime: time('ctime') },
    ...{ mode: narrow('mode'), nlink: narrow('nlink'), uid: narrow('uid'), gid: narrow('gid') },
    ...{ rdev: narrow('rdev'), blksize: narrow('blksize') },
  };
}

function readStatFs(from: Buffer): Record<string, number> {
  const wide = Object.fromEntries(
    (['blocks', 'bfree', 'bavail', 'files', 'ffree'] as const).map((field) => [
      field,
      Number(from.readBigUInt64LE(kstatfs.at[field])),
    ]),
  );
  const bsize = from.readUInt32LE(kstatfs.at.bsize);
  const frsize = from.readUInt32LE(kstatfs.at.frsize);
  const namemax = from.readUInt32LE(kstatfs.at.namelen);
  return { ...wide, bsize, frsize, namemax, fsid: 0, flag: 0, favail: wide['ffree'] ?? 0 };
}
