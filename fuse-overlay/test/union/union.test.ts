/** Corners of the union that the model does not reach, without a kernel. */
import { closeSync, readFileSync, readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FileType } from '../../src/index.ts';
import type { LayerExport } from '../../src/index.ts';
import { exportLayer, openUnion } from '../../src/overlay/open-union.ts';
import { MemoryLayer, type MemoryNode } from './memory-layer.ts';
import { UnionClient } from './union-client.ts';
import { useUnion } from './use-union.ts';

const { ENOSPC } = constants.errno;
const bed = useUnion();

function changes(): string[] {
  return [...bed.client.fs.changes()]
    .map(({ kind, path }) => `${kind[0]!.toUpperCase()} /${path.toString('latin1')}`)
    .sort();
}

test('one server at a time', () => {
  expect(() => bed.open()).toThrow('another process serves it');
});

test('an upper layer belongs to its lower one', () => {
  bed.client.fs.close();
  bed.open({ lowerName: 'sha256:1' }).fs.close();
  bed.open().fs.close();
  expect(() => bed.open({ lowerName: 'sha256:2' })).toThrow('made over the lower layer sha256:1');
  bed.client = bed.open({ lowerName: 'sha256:1' });
});

test('a write takes file capabilities, for every name of the file', () => {
  const etc = bed.client.lookup(1, 'etc');
  const ino = bed.client.lookup(etc, 'again');
  expect(bed.client.write(ino, 8, Buffer.from(':0'))).toBe(2);
  const passwd = bed.client.lookup(etc, 'passwd');
  expect(passwd).toBe(ino);
  expect(bed.client.listxattr(passwd)).toEqual([]);
  expect(bed.client.readAll(passwd).toString()).toBe('root:x:0:0');
});

test('metadata alone copies no contents', () => {
  const ino = bed.client.lookup(bed.client.lookup(1, 'etc'), 'passwd');
  bed.client.setattr(ino, { mode: 0o600, uid: 7, mtime: 5 });
  expect(readdirSync(join(bed.dir, 'upper', 'data'))).toEqual([]);
  expect(bed.client.readAll(ino).toString()).toBe('root:x:0');
  // Truncated to nothing there is nothing to copy either.
  bed.client.setattr(ino, { size: 0 });
  expect(bed.client.readAll(ino).length).toBe(0);
});

test('lists what changed, renamed directories with all that is in them', () => {
  const etc = bed.client.lookup(1, 'etc');
  expect(changes()).toEqual([]);
  bed.client.rename(etc, 'skel', 1, 'moved');
  bed.client.unlink(etc, 'again');
  const made = bed.client.mkdir(1, 'made', 0o755);
  bed.client.symlink(made, 'link', 'to');
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
  bed.client.rename(1, 'moved', etc, 'skel');
  expect(changes()).toContain('M /etc/skel');
  expect(changes()).not.toContain('D /etc/skel');
});

test('the quota of bytes counts what is on disk, and can be changed', () => {
  bed.client.fs.setQuota({ size: 64 * 1024 });
  const ino = bed.client.mknod(1, 'f', FileType.file | 0o644);
  const block = Buffer.alloc(16 * 1024, 'x');
  for (let at = 0; at < 4; at++) expect(bed.client.write(ino, at * block.length, block)).toBe(block.length);
  expect(bed.client.write(ino, 4 * block.length, block)).toBe(-ENOSPC);
  expect(bed.client.write(ino, 0, block)).toBe(block.length);
  expect(bed.client.statfs().bfree).toBe(0);
  bed.client.fs.setQuota({ size: 1024 * 1024 });
  expect(bed.client.write(ino, 4 * block.length, block)).toBe(block.length);
  bed.client.setattr(ino, { size: 0 });
  bed.client.fs.setQuota({ size: 64 * 1024 });
  expect(bed.client.write(ino, 0, block)).toBe(block.length);
  bed.client.unlink(1, 'f');
  bed.client.forget(ino, 1);
  const other = bed.client.mknod(1, 'g', FileType.file | 0o644);
  for (let at = 0; at < 4; at++) expect(bed.client.write(other, at * block.length, block)).toBe(block.length);
});

test('the quota of inodes', () => {
  bed.client.fs.setQuota({ inodes: 3 });
  expect(bed.client.mkdir(1, 'a', 0o755)).toBeGreaterThan(0);
  expect(bed.client.mkdir(1, 'b', 0o755)).toBeGreaterThan(0);
  expect(bed.client.mkdir(1, 'c', 0o755)).toBe(-ENOSPC);
  expect(bed.client.lookup(1, 'c')).toBe(0);
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
  copy(bed.layer.rootNode, result.rootNode);
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
  const etc = bed.client.lookup(1, 'etc');
  bed.client.rename(etc, 'skel', 1, 'moved');
  bed.client.mkdir(etc, 'skel', 0o700);
  bed.client.unlink(etc, 'passwd');
  const again = bed.client.lookup(etc, 'again');
  bed.client.write(again, 4, Buffer.from('!'));
  bed.client.setattr(again, { mtime: 99 });
  bed.client.link(again, 1, 'third');
  bed.client.mknod(1, 'null', FileType.character | 0o666, 0x103);
  bed.client.symlink(1, 'link', 'etc');
  bed.client.setxattr(bed.client.mkdir(1, 'dir', 0o1777), 'user.x', Buffer.from('y'));
  const tree = describeTree(bed.client);
  const entries = [...bed.client.fs.exportLayer()];
  expect(entries.filter(({ entry }) => entry.type === 'opaque').map(({ entry }) => entry.path.toString())).toEqual([
    'etc/skel',
  ]);
  // Read beside the server that has the layer open it is the same.
  const beside = [...exportLayer({ lower: bed.layer, upperDir: join(bed.dir, 'upper') })];
  expect(beside.map(({ entry }) => entry)).toEqual(entries.map(({ entry }) => entry));
  const applied = new UnionClient(openUnion({ lower: apply(entries), upperDir: join(bed.dir, 'other') }));
  // The directory that took the place of the moved one hides what was in that.
  const hidden = describeTree(applied).filter((line) => !line.startsWith('["/etc/skel/profile"'));
  expect(hidden).toEqual(tree);
  applied.fs.close();
});

test('a lower layer that changes: what was written stays under its name, and nowhere else', () => {
  bed.client.fs.close();
  bed.layer = new MemoryLayer(false);
  const etc = bed.layer.add(bed.layer.rootNode, 'etc', FileType.directory | 0o755);
  const hosts = bed.layer.add(etc, 'hosts', FileType.file | 0o644, { content: Buffer.from('lower') });
  const owned = bed.layer.add(etc, 'owned', FileType.file | 0o644, { content: Buffer.from('lower') });
  bed.client = bed.open({}, 'live');
  const directory = bed.client.lookup(1, 'etc');
  const number = bed.client.lookup(directory, 'hosts');
  bed.client.write(number, 5, Buffer.from(' and ours'));
  bed.client.setattr(bed.client.lookup(directory, 'owned'), { uid: 5 });
  // The host renames another file over it, and its file system uses the number of the old one again.
  etc.children.set(
    'hosts',
    bed.layer.add(bed.layer.rootNode, 'new', FileType.file | 0o600, { content: Buffer.from('newer') }),
  );
  bed.layer.rootNode.children.set('secret', Object.assign(hosts, { content: Buffer.from('secret') }));
  etc.children.delete('owned');
  for (let round = 0; round < 2; round++) {
    expect(bed.client.lookup(bed.client.lookup(1, 'etc'), 'hosts')).toBe(number);
    expect(bed.client.readAll(number).toString()).toBe('lower and ours');
    const secret = bed.client.lookup(1, 'secret');
    expect(secret).not.toBe(number);
    expect(bed.client.readAll(secret).toString()).toBe('secret');
    bed.client.setattr(secret, { mode: 0o400 });
    expect(bed.client.lookup(directory, 'owned')).toBe(owned.ino);
    expect(bed.client.attributes.uid).toBe(5);
    expect(bed.client.readdir(directory).map(({ name }) => name)).toEqual(['hosts', 'owned']);
    expect(bed.client.getattr(number)).toMatchObject({ mode: FileType.file | 0o644 });
    bed.client.fs.close();
    bed.client = bed.open({}, 'live');
  }
});

test('a lower directory that the serving user may not read is an empty one', () => {
  const etc = bed.client.lookup(1, 'etc');
  const skel = bed.client.lookup(etc, 'skel');
  bed.layer.forbidden.add(skel);
  expect(bed.client.lookup(skel, 'profile')).toBe(0);
  expect(bed.client.readdir(skel)).toEqual([]);
  const made = bed.client.mknod(skel, 'profile', FileType.file | 0o644);
  expect(bed.client.readdir(skel).map(({ ino }) => ino)).toEqual([made]);
  expect(bed.client.unlink(skel, 'profile')).toBe(0);
  expect(bed.client.rmdir(etc, 'skel')).toBe(0);
  expect(bed.client.readdir(etc).map(({ name }) => name)).toEqual(['passwd', 'again']);
});
