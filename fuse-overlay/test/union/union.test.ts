/** Corners of the union that the model does not reach, without a kernel. */
import {
  closeSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileType } from '../../src/index.ts';
import type { LayerExport } from '../../src/index.ts';
import { exportLayer, openUnion, type OpenUnionOptions } from '../../src/overlay/open-union.ts';
import { Journal } from '../../src/overlay/upper/journal.ts';
import { MemoryLayer, type MemoryNode } from './memory-layer.ts';
import { Random } from './random.ts';
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
  for (const each of [ino, copied]) {
    truncateSync(join(dir, 'upper', 'data', (each % 256).toString(16).padStart(2, '0'), each.toString(16)), 4);
  }
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

/** Lays exported entries over the lower layer, as whoever applies an OCI layer does. */
function apply(entries: Iterable<LayerExport>): MemoryLayer {
  const result = new MemoryLayer();
  const copies = new Map<MemoryNode, MemoryNode>();
  function copy(from: MemoryNode, to: MemoryNode): void {
    for (const [name, child] of from.children) {
      const known = copies.get(child);
      if (known) result.link(to, name, known);
      else {
        const made = result.add(to, name, child.mode, { ...child, ino: 0, children: new Map(), nlink: 1 });
        Object.assign(made, { ino: result.nodes.length });
        copies.set(child, made);
        copy(child, made);
      }
    }
  }
  copy(layer.rootNode, result.rootNode);
  function find(path: Buffer): { parent: MemoryNode; name: string } {
    const names = path.toString('latin1').split('/');
    const name = names.pop()!;
    let parent = result.rootNode;
    for (const each of names) parent = parent.children.get(each)!;
    return { parent, name };
  }
  const opaque = new Set<string>();
  for (const { entry, open: openContents } of entries) {
    const { parent, name } = find(entry.path);
    if (entry.type === 'whiteout') expect(parent.children.delete(name)).toBe(true);
    else if (entry.type === 'opaque') opaque.add(entry.path.toString('latin1'));
    else if (entry.type === 'hardlink') {
      const target = find(entry.target!);
      parent.children.set(name, target.parent.children.get(target.name)!);
    } else {
      const types = {
        file: FileType.file,
        directory: FileType.directory,
        symlink: FileType.symlink,
        fifo: FileType.fifo,
        character: FileType.character,
        block: FileType.block,
        socket: 0,
      };
      let content = Buffer.alloc(0);
      if (openContents) {
        const fd = openContents();
        content = readFileSync(fd);
        closeSync(fd);
      }
      expect(content.length).toBe(entry.size);
      const mode = types[entry.type] | entry.mode;
      const known = entry.path.length === 0 ? parent : parent.children.get(name);
      const isKept = known && entry.type === 'directory' && (known.mode & FileType.mask) === FileType.directory;
      const node = isKept ? known : result.add(parent, name, mode);
      const { uid, gid, rdev, mtime } = entry;
      const xattrs = new Map(entry.xattrs.map((each) => [each.name.toString('latin1'), each.value]));
      Object.assign(node, { mode, uid, gid, rdev, mtime, content, xattrs, target: entry.target ?? Buffer.alloc(0) });
    }
  }
  return Object.assign(result, { opaque });
}

/** Everything that is to be seen of a tree: lines by path, hard links by the first of their names. */
function describeTree(on: UnionClient): string[] {
  const lines: string[] = [];
  const first = new Map<number, string>();
  function walk(ino: number, path: string): void {
    on.getattr(ino);
    const { mode, uid, gid, rdev, mtime } = on.attributes;
    const type = mode & FileType.mask;
    const content =
      type === FileType.file ? on.readAll(ino).toString('latin1') : type === FileType.symlink ? on.readlink(ino) : '';
    const xattrs = on
      .listxattr(ino)
      .sort()
      .map((name) => [name, String(on.getxattr(ino, name))]);
    const names = first.get(ino) ?? path;
    first.set(ino, names);
    lines.push(JSON.stringify([path, mode.toString(8), uid, gid, rdev, mtime, content, xattrs, names]));
    if (type !== FileType.directory) return;
    for (const { name } of on.readdir(ino).sort((a, b) => (a.name < b.name ? -1 : 1)))
      walk(on.lookup(ino, name), `${path}/${name}`);
  }
  walk(1, '');
  return lines;
}

test('exported and laid over the lower layer it is the same tree', () => {
  const etc = client.lookup(1, 'etc');
  client.rename(etc, 'skel', 1, 'moved');
  client.mkdir(etc, 'skel', 0o700);
  client.unlink(etc, 'passwd');
  const again = client.lookup(etc, 'again');
  client.write(again, 4, Buffer.from('!'));
  client.setattr(again, { mtime: 99 });
  client.link(again, 1, 'third');
  client.mknod(1, 'null', FileType.character | 0o666, 0x103);
  client.symlink(1, 'link', 'etc');
  client.setxattr(client.mkdir(1, 'dir', 0o1777), 'user.x', Buffer.from('y'));
  const tree = describeTree(client);
  const entries = [...client.fs.exportLayer()];
  expect(entries.filter(({ entry }) => entry.type === 'opaque').map(({ entry }) => entry.path.toString())).toEqual([
    'etc/skel',
  ]);
  // Read beside the server that has the layer open it is the same.
  const beside = [...exportLayer({ lower: layer, upperDir: join(dir, 'upper') })];
  expect(beside.map(({ entry }) => entry)).toEqual(entries.map(({ entry }) => entry));
  const applied = new UnionClient(openUnion({ lower: apply(entries), upperDir: join(dir, 'other') }));
  // The directory that took the place of the moved one hides what was in that.
  const hidden = describeTree(applied).filter((line) => !line.startsWith('["/etc/skel/profile"'));
  expect(hidden).toEqual(tree);
  applied.fs.close();
});

test('a lower layer that changes: what was written stays under its name, and nowhere else', () => {
  client.fs.close();
  layer = new MemoryLayer(false);
  const etc = layer.add(layer.rootNode, 'etc', FileType.directory | 0o755);
  const hosts = layer.add(etc, 'hosts', FileType.file | 0o644, { content: Buffer.from('lower') });
  const owned = layer.add(etc, 'owned', FileType.file | 0o644, { content: Buffer.from('lower') });
  client = open({}, 'live');
  const directory = client.lookup(1, 'etc');
  const number = client.lookup(directory, 'hosts');
  client.write(number, 5, Buffer.from(' and ours'));
  client.setattr(client.lookup(directory, 'owned'), { uid: 5 });
  // The host renames another file over it, and its file system uses the number of the old one again.
  etc.children.set('hosts', layer.add(layer.rootNode, 'new', FileType.file | 0o600, { content: Buffer.from('newer') }));
  layer.rootNode.children.set('secret', Object.assign(hosts, { content: Buffer.from('secret') }));
  etc.children.delete('owned');
  for (let round = 0; round < 2; round++) {
    expect(client.lookup(client.lookup(1, 'etc'), 'hosts')).toBe(number);
    expect(client.readAll(number).toString()).toBe('lower and ours');
    const secret = client.lookup(1, 'secret');
    expect(secret).not.toBe(number);
    expect(client.readAll(secret).toString()).toBe('secret');
    client.setattr(secret, { mode: 0o400 });
    expect(client.lookup(directory, 'owned')).toBe(owned.ino);
    expect(client.attributes.uid).toBe(5);
    expect(client.readdir(directory).map(({ name }) => name)).toEqual(['hosts', 'owned']);
    expect(client.getattr(number)).toMatchObject({ mode: FileType.file | 0o644 });
    client.fs.close();
    client = open({}, 'live');
  }
});

/** Throws where the tree contradicts itself: names of nothing, link counts that the names do not bear out. */
function checkConsistent(on: UnionClient): void {
  const names = new Map<number, { nlink: number; seen: number }>();
  function walk(ino: number): void {
    let subdirectories = 0;
    for (const { name, ino: listed } of on.readdir(ino)) {
      const child = on.lookup(ino, name);
      expect(child, name).toBe(listed);
      on.forget(child, 1);
      const { mode, nlink } = on.attributes;
      const known = names.get(child) ?? { nlink, seen: 0 };
      known.seen++;
      names.set(child, known);
      const type = mode & FileType.mask;
      if (type === FileType.file) on.readAll(child);
      if (type !== FileType.directory) continue;
      subdirectories++;
      walk(child);
    }
    expect((on.getattr(ino) as { nlink: number }).nlink).toBe(2 + subdirectories);
  }
  walk(1);
  for (const [ino, { nlink, seen }] of names) {
    on.getattr(ino);
    if ((on.attributes.mode & FileType.mask) !== FileType.directory) expect(seen, `names of inode ${ino}`).toBe(nlink);
  }
}

test('cut off anywhere, the journal gives a tree without contradictions', () => {
  const random = new Random(7);
  const etc = client.lookup(1, 'etc');
  const directories = [1, etc];
  for (let step = 0; step < 150; step++) {
    const [parent, other] = [random.pick(directories), random.pick(directories)];
    const [name, newName] = [random.pick(['a', 'b', 'c', 'skel']), random.pick(['a', 'b', 'd', 'again'])];
    const kind = random.below(6);
    if (kind === 0) {
      const made = client.mknod(parent, name, FileType.file | 0o644);
      if (made > 0) client.write(made, 0, random.bytes(50));
    } else if (kind === 1 && directories.length < 6) {
      const made = client.mkdir(parent, name, 0o755);
      if (made > 0) directories.push(made);
    } else if (kind === 2) {
      const ino = client.lookup(parent, name);
      if (ino > 0) client.link(ino, other, newName);
    } else if (kind === 3) client.unlink(parent, name);
    // Files only: the kernel keeps directories from moving into themselves.
    else if (kind === 4 && !directories.includes(client.lookup(parent, name)) && client.lookup(parent, name) > 0) {
      client.getattr(client.lookup(parent, name));
      if ((client.attributes.mode & FileType.mask) === FileType.file)
        client.rename(parent, name, other, newName, random.pick([0, 1]));
    } else if (kind === 5) client.setattr(random.pick(directories), { mode: 0o700 });
  }
  checkConsistent(client);
  const journal = join(dir, 'upper', 'journal');
  const { size } = statSync(journal);
  for (let cut = 8; cut < size; cut += 1 + random.below(Math.ceil(size / 60))) {
    const copy = join(dir, 'cut');
    cpSync(join(dir, 'upper'), copy, { recursive: true });
    truncateSync(join(copy, 'journal'), cut);
    const cutOff = open({ takeover: random.chance(0.5) }, 'cut');
    checkConsistent(cutOff);
    cutOff.fs.close();
    rmSync(copy, { recursive: true });
  }
});

test('a lower directory that the serving user may not read is an empty one', () => {
  const etc = client.lookup(1, 'etc');
  const skel = client.lookup(etc, 'skel');
  layer.forbidden.add(skel);
  expect(client.lookup(skel, 'profile')).toBe(0);
  expect(client.readdir(skel)).toEqual([]);
  const made = client.mknod(skel, 'profile', FileType.file | 0o644);
  expect(client.readdir(skel).map(({ ino }) => ino)).toEqual([made]);
  expect(client.unlink(skel, 'profile')).toBe(0);
  expect(client.rmdir(etc, 'skel')).toBe(0);
  expect(client.readdir(etc).map(({ name }) => name)).toEqual(['passwd', 'again']);
});
