/** Corners of the union that the model does not reach, without a kernel. */
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileType } from '../../src/index.ts';
import { openUnion, type OpenUnionOptions } from '../../src/overlay/open-union.ts';
import { Journal } from '../../src/overlay/upper/journal.ts';
import { MemoryLayer } from './memory-layer.ts';
import { UnionClient } from './union-client.ts';

const { EEXIST, ENOENT, ENOSPC } = constants.errno;

let dir: string;
let layer: MemoryLayer;
let client: UnionClient;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'union-'));
  layer = new MemoryLayer();
  const etc = layer.add(layer.rootNode, 'etc', FileType.directory | 0o755);
  const passwd = layer.add(etc, 'passwd', FileType.file | 0o4755, { content: Buffer.from('root:x:0') });
  passwd.xattrs.set('security.capability', Buffer.from('cap'));
  layer.link(etc, 'again', passwd);
  layer.add(layer.add(etc, 'skel', FileType.directory | 0o755), 'profile', FileType.file | 0o644, {
    content: Buffer.from('PS1'),
  });
  client = open();
});

afterEach(() => {
  client.fs.close();
  rmSync(dir, { recursive: true, force: true });
});

function open(more: Partial<OpenUnionOptions> = {}, upper = 'upper'): UnionClient {
  return new UnionClient(openUnion({ lower: layer, upperDir: join(dir, upper), ...more }));
}

/** A successor works on the folder as it is now. */
function takeOver(): void {
  cpSync(join(dir, 'upper'), join(dir, 'copy'), { recursive: true });
  client.fs.close();
  rmSync(join(dir, 'upper'), { recursive: true });
  cpSync(join(dir, 'copy'), join(dir, 'upper'), { recursive: true });
  rmSync(join(dir, 'copy'), { recursive: true });
  client = open({ takeover: true });
}

function changes(): string[] {
  return [...client.fs.changes()]
    .map(({ kind, path }) => `${kind[0]!.toUpperCase()} /${path.toString('latin1')}`)
    .sort();
}

test('a request that a dead server did and did not answer is not done again', () => {
  const { request } = client;
  Object.assign(request, { id: 4 });
  const made = client.mknod(1, 'new', FileType.file | 0o644);
  takeOver();
  Object.assign(client.request, { id: 4, resent: true });
  expect(client.mknod(1, 'new', FileType.file | 0o644)).toBe(made);
  Object.assign(client.request, { id: 6, resent: true });
  expect(client.mknod(1, 'new', FileType.file | 0o644)).toBe(-EEXIST);
  Object.assign(client.request, { id: 8, resent: false });
  expect(client.unlink(1, 'new')).toBe(0);
  takeOver();
  Object.assign(client.request, { id: 8, resent: true });
  expect(client.unlink(1, 'new')).toBe(0);
  Object.assign(client.request, { id: 10, resent: true });
  expect(client.unlink(1, 'new')).toBe(-ENOENT);
});

test('one server at a time', () => {
  expect(() => open()).toThrow('another process serves it');
});

test('an upper layer belongs to its lower one', () => {
  client.fs.close();
  open({ lowerName: 'sha256:1' }).fs.close();
  open().fs.close();
  expect(() => open({ lowerName: 'sha256:2' })).toThrow('made over the lower layer sha256:1');
  client = open({ lowerName: 'sha256:1' });
});

test('a write takes file capabilities, for every name of the file', () => {
  const etc = client.lookup(1, 'etc');
  const ino = client.lookup(etc, 'again');
  expect(client.write(ino, 8, Buffer.from(':0'))).toBe(2);
  const passwd = client.lookup(etc, 'passwd');
  expect(passwd).toBe(ino);
  expect(client.listxattr(passwd)).toEqual([]);
  expect(client.readAll(passwd).toString()).toBe('root:x:0:0');
});

test('metadata alone copies no contents', () => {
  const ino = client.lookup(client.lookup(1, 'etc'), 'passwd');
  client.setattr(ino, { mode: 0o600, uid: 7, mtime: 5 });
  expect(readdirSync(join(dir, 'upper', 'data'))).toEqual([]);
  expect(client.readAll(ino).toString()).toBe('root:x:0');
  // Truncated to nothing there is nothing to copy either.
  client.setattr(ino, { size: 0 });
  expect(client.readAll(ino).length).toBe(0);
});

test('lists what changed, renamed directories with all that is in them', () => {
  const etc = client.lookup(1, 'etc');
  expect(changes()).toEqual([]);
  client.rename(etc, 'skel', 1, 'moved');
  client.unlink(etc, 'again');
  const made = client.mkdir(1, 'made', 0o755);
  client.symlink(made, 'link', 'to');
  expect(changes()).toEqual(
    [
      'M /',
      'M /etc',
      'D /etc/again',
      'M /etc/passwd',
      'D /etc/skel',
      'A /moved',
      'A /moved/profile',
      'A /made',
      'A /made/link',
    ].sort(),
  );
  client.rename(1, 'moved', etc, 'skel');
  expect(changes()).toContain('M /etc/skel');
  expect(changes()).not.toContain('D /etc/skel');
});

test('the quota of bytes counts what is on disk, and can be changed', () => {
  client.fs.setQuota({ size: 64 * 1024 });
  const ino = client.mknod(1, 'f', FileType.file | 0o644);
  const block = Buffer.alloc(16 * 1024, 'x');
  for (let at = 0; at < 4; at++) expect(client.write(ino, at * block.length, block)).toBe(block.length);
  expect(client.write(ino, 4 * block.length, block)).toBe(-ENOSPC);
  expect(client.write(ino, 0, block)).toBe(block.length);
  expect(client.statfs().bfree).toBe(0);
  client.fs.setQuota({ size: 1024 * 1024 });
  expect(client.write(ino, 4 * block.length, block)).toBe(block.length);
  client.setattr(ino, { size: 0 });
  client.fs.setQuota({ size: 64 * 1024 });
  expect(client.write(ino, 0, block)).toBe(block.length);
  client.unlink(1, 'f');
  client.forget(ino, 1);
  const other = client.mknod(1, 'g', FileType.file | 0o644);
  for (let at = 0; at < 4; at++) expect(client.write(other, at * block.length, block)).toBe(block.length);
});

test('the quota of inodes', () => {
  client.fs.setQuota({ inodes: 3 });
  expect(client.mkdir(1, 'a', 0o755)).toBeGreaterThan(0);
  expect(client.mkdir(1, 'b', 0o755)).toBeGreaterThan(0);
  expect(client.mkdir(1, 'c', 0o755)).toBe(-ENOSPC);
  expect(client.lookup(1, 'c')).toBe(0);
});

test('after a crash of the machine sizes are those of the data files, and unsynced copies are the lower files again', () => {
  const ino = client.mknod(1, 'f', FileType.file | 0o644);
  client.write(ino, 0, Buffer.from('0123456789'));
  client.setattr(ino, { mtime: 77 });
  const etc = client.lookup(1, 'etc');
  const [copied, synced] = [client.lookup(etc, 'passwd'), client.lookup(client.lookup(etc, 'skel'), 'profile')];
  client.write(synced, 3, Buffer.from('=x'));
  expect(client.fsync(synced)).toBe(0);
  client.write(copied, 0, Buffer.from('toor'));
  client.fs.close();
  // As if the machine had lost power: other data on disk than the journal believes, and another boot.
  const path = join(dir, 'upper', 'data', (ino % 256).toString(16).padStart(2, '0'), ino.toString(16));
  truncateSync(path, 4);
  const journal = Journal.open(
    join(dir, 'upper', 'journal'),
    () => undefined,
    () => [],
  );
  journal.append([{ kind: 'opened', boot: 'another', lower: '' }]);
  journal.close();
  client = open();
  expect(client.lookup(1, 'f')).toBe(ino);
  expect(client.attributes).toMatchObject({ size: 4, mtime: 77 });
  expect(client.readAll(copied).toString()).toBe('root:x:0');
  expect(client.readAll(synced).toString()).toBe('PS1=x');
});

test('data files without an inode are swept away', () => {
  const ino = client.mknod(1, 'f', FileType.file | 0o644);
  client.write(ino, 0, Buffer.from('0123456789'));
  client.unlink(1, 'f');
  takeOver();
  const [folder] = readdirSync(join(dir, 'upper', 'data'));
  expect(readdirSync(join(dir, 'upper', 'data', folder!)).length).toBe(1);
  expect(client.readAll(ino).toString()).toBe('0123456789');
  client.fs.close();
  client = open();
  expect(readdirSync(join(dir, 'upper', 'data', folder!))).toEqual([]);
  expect(existsSync(join(dir, 'upper', 'journal'))).toBe(true);
});

test('a snapshot of the journal keeps everything', () => {
  const before: number[] = [];
  for (let round = 0; round < 40_000; round++) {
    const name = `f${round % 50}`;
    const former = client.lookup(1, name);
    if (former > 0) {
      client.unlink(1, name);
      client.forget(former, 2);
    }
    before[round % 50] = client.mknod(1, name, FileType.file | (0o400 + (round % 8)));
  }
  expect(statSync(join(dir, 'upper', 'journal')).size).toBeLessThan(5 * 1024 * 1024);
  takeOver();
  for (let at = 0; at < 50; at++) expect(client.lookup(1, `f${at}`)).toBe(before[at]);
});
