import { constants } from 'node:os';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FileType } from '../../src/index.ts';
import { openUnion } from '../../src/overlay/open-union.ts';
import type { UnionFileSystem } from '../../src/overlay/union-file-system.ts';
import { MemoryLayer } from './memory-layer.ts';
import { isDirectory, isFile, Model, type ModelNode } from './model.ts';
import { Random } from './random.ts';
import { UnionClient } from './union-client.ts';

const { EISDIR } = constants.errno;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'union-model-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

function sampleLayer(immutable: boolean): MemoryLayer {
  const layer = new MemoryLayer(immutable);
  const { rootNode } = layer;
  for (const top of ['etc', 'usr', 'var', 'tmp']) {
    const directory = layer.add(rootNode, top, FileType.directory | 0o755);
    for (let index = 0; index < 6; index++) {
      const file = layer.add(directory, `file${index}`, FileType.file | 0o644, {
        content: Buffer.from(`${top} ${index} `.repeat(index * 300)),
      });
      if (index === 3) layer.link(rootNode, `${top}-link`, file);
      if (index === 4) file.xattrs.set('user.color', Buffer.from('green'));
    }
    const nested = layer.add(directory, 'nested', FileType.directory | 0o700);
    layer.add(nested, 'deep', FileType.file | 0o600, { content: Buffer.from('deep') });
    layer.add(nested, 'symlink', FileType.symlink | 0o777, { target: Buffer.from('../file1') });
    layer.add(nested, 'empty', FileType.directory | 0o755);
    layer.add(directory, 'null', FileType.character | 0o666, { rdev: 0x103 });
  }
  return layer;
}

interface Open {
  readonly node: ModelNode;
  references: number;
}

/** One run: random operations on both sides, the results compared one by one, the trees now and then. */
class Run {
  readonly layer: MemoryLayer;
  readonly model: Model;
  readonly random: Random;
  #dir: string;
  #generation = 0;
  #client: UnionClient;
  /** Files that a program holds open without a name. */
  #unlinked: Open[] = [];

  constructor(seed: number, immutable: boolean) {
    this.random = new Random(seed);
    this.layer = sampleLayer(immutable);
    this.model = new Model(this.layer);
    this.#dir = join(dir, 'upper');
    this.#client = new UnionClient(this.#open(false));
  }

  #open(takeover: boolean): UnionFileSystem {
    return openUnion({ lower: this.layer, upperDir: this.#dir, takeover });
  }

  close(): void {
    this.#client.fs.close();
  }

  /** A clean end and a new mount: what had no name is gone. */
  remount(): void {
    this.#client.fs.close();
    this.#unlinked = [];
    this.#client = new UnionClient(this.#open(false));
  }

  /** The server is killed; another one goes on with the folder as it is at this moment. */
  crash(): void {
    const copy = join(dir, `upper-${++this.#generation}`);
    cpSync(this.#dir, copy, { recursive: true });
    this.#client.fs.close();
    rmSync(this.#dir, { recursive: true });
    this.#dir = copy;
    this.#client = new UnionClient(this.#open(true));
  }

  /** A random node with a name, and the way to it. */
  #pick(wanted: (node: ModelNode) => boolean): { parent: ModelNode; name: string; node: ModelNode } | undefined {
    const found: { parent: ModelNode; name: string; node: ModelNode }[] = [];
    function walk(parent: ModelNode): void {
      for (const [name, node] of parent.children) {
        if (wanted(node)) found.push({ parent, name, node });
        if (isDirectory(node)) walk(node);
      }
    }
    walk(this.model.root);
    return found.length === 0 ? undefined : this.random.pick(found);
  }

  #directory(): ModelNode {
    return this.random.chance(0.2) ? this.model.root : (this.#pick(isDirectory)?.node ?? this.model.root);
  }

  #name(directory: ModelNode): string {
    if (directory.children.size > 0 && this.random.chance(0.5)) return this.random.pick([...directory.children.keys()]);
    return this.random.pick(['a', 'b', 'c', 'dd', '\xff\xfe', 'file1', 'file9', 'nested', 'x'.repeat(255)]);
  }

  #isWithin(node: ModelNode, ancestor: ModelNode): boolean {
    if (node === ancestor) return true;
    return [...ancestor.children.values()].some((child) => isDirectory(child) && this.#isWithin(node, child));
  }

  /** The number of a node, by the names that lead to it (as the kernel comes to know it). */
  step(): void {
    const { random, model } = this;
    const client = this.#client;
    const kinds = [
      'mknod',
      'mkdir',
      'symlink',
      'link',
      'unlink',
      'rmdir',
      'rename',
      'write',
      'write',
      'truncate',
      'chmod',
    ];
    const kind = random.pick([
      ...kinds,
      'chown',
      'utimes',
      'setxattr',
      'removexattr',
      'tmpfile',
      'copy',
      'read',
      'hole',
    ]);
    const parent = this.#directory();
    const name = this.#name(parent);
    const mode = random.pick([0o644, 0o755, 0o600, 0o4755]);
    if (kind === 'mknod' || kind === 'mkdir' || kind === 'symlink') {
      const type = {
        mknod: random.pick([FileType.file, FileType.file, FileType.fifo, FileType.character]),
        mkdir: FileType.directory,
        symlink: FileType.symlink,
      }[kind];
      const rdev = type === FileType.character ? 0x105 : 0;
      const ino =
        kind === 'mkdir'
          ? client.mkdir(parent.ino, name, mode)
          : kind === 'symlink'
            ? client.symlink(parent.ino, name, `to/${name}`)
            : client.mknod(parent.ino, name, type | mode, rdev);
      const target = kind === 'symlink' ? `to/${name}` : '';
      const bits = kind === 'symlink' ? 0o777 : mode;
      const made = model.create(parent, name, type | bits, ino, { rdev, target });
      if (typeof made === 'number') expect(ino, kind).toBe(made);
      else expect(ino, kind).toBeGreaterThan(0);
      if (ino > 0) client.forget(ino, 1);
    } else if (kind === 'tmpfile') {
      const ino = client.tmpfile(parent.ino, mode);
      const node = model.create(parent, undefined, FileType.file | mode, ino) as ModelNode;
      this.#write(node);
      if (random.chance(0.5)) {
        expect(Math.min(0, client.link(ino, parent.ino, name))).toBe(model.link(node, parent, name));
        if (node.nlink > 0) client.forget(ino, 1);
      }
      if (node.nlink > 0) client.forget(ino, 1);
      else this.#unlinked.push({ node, references: 1 });
    } else if (kind === 'link') {
      const source = this.#pick((node) => !isDirectory(node));
      if (!source) return;
      const ino = client.link(source.node.ino, parent.ino, name);
      const expected = model.link(source.node, parent, name);
      expect(expected === 0 ? ino : Math.min(ino, 0), kind).toBe(expected === 0 ? source.node.ino : expected);
      if (ino > 0) client.forget(ino, 1);
    } else if (kind === 'unlink') {
      this.#unlink(parent, name);
    } else if (kind === 'rmdir') {
      expect(client.rmdir(parent.ino, name), kind).toBe(model.rmdir(parent, name));
    } else if (kind === 'rename') {
      const target = this.#directory();
      const newName = this.#name(target);
      const source = parent.children.get(name);
      // The kernel refuses to move a directory into itself, and asks nobody.
      if (source && isDirectory(source) && this.#isWithin(target, source)) return;
      const flags = random.pick([0, 0, 1, 2]);
      const other = target.children.get(newName);
      if (flags === 2 && other && isDirectory(other) && this.#isWithin(parent, other)) return;
      if (other && isDirectory(other) && this.#isWithin(parent, other)) return;
      expect(client.rename(parent.ino, name, target.ino, newName, flags), kind).toBe(
        model.rename(parent, name, target, newName, flags),
      );
    } else {
      const found = this.#pick((node) =>
        kind === 'chmod' || kind === 'chown' || kind.endsWith('xattr') ? true : isFile(node),
      );
      if (found) this.#change(kind, found.node, mode);
    }
  }

  #unlink(parent: ModelNode, name: string): void {
    const client = this.#client;
    const node = parent.children.get(name);
    const keep = node && isFile(node) && this.random.chance(0.3);
    const ino = client.lookup(parent.ino, name);
    const result = client.unlink(parent.ino, name);
    expect(result, 'unlink').toBe(this.model.unlink(parent, name));
    if (keep && node.nlink === 0) this.#unlinked.push({ node, references: 1 });
    else if (ino > 0) client.forget(ino, 1);
    if (result === -EISDIR) expect(node && isDirectory(node)).toBe(true);
  }

  #write(node: ModelNode): void {
    const offset = this.random.chance(0.7) ? this.random.below(node.content.length + 100) : this.random.below(50_000);
    const data = this.random.bytes(1 + this.random.below(9000));
    expect(this.#client.write(node.ino, offset, data), 'write').toBe(this.model.write(node, offset, data));
  }

  #change(kind: string, node: ModelNode, mode: number): void {
    const { random, model } = this;
    const client = this.#client;
    if (kind === 'write') this.#write(node);
    else if (kind === 'read') expect(client.readAll(node.ino).equals(node.content)).toBe(true);
    else if (kind === 'truncate') {
      const size = random.pick([0, random.below(node.content.length + 1), random.below(30_000)]);
      expect(client.setattr(node.ino, { size }), kind).toBe(model.truncate(node, size));
    } else if (kind === 'chmod') {
      expect(client.setattr(node.ino, { mode }), kind).toBe(0);
      node.mode = (node.mode & FileType.mask) | mode;
    } else if (kind === 'chown') {
      const [uid, gid] = [random.below(2000), random.below(2000)];
      expect(client.setattr(node.ino, { uid, gid }), kind).toBe(0);
      Object.assign(node, { uid, gid });
      if (!isDirectory(node)) node.mode &= ~0o4000;
    } else if (kind === 'utimes') {
      const mtime = random.below(2_000_000_000);
      expect(client.setattr(node.ino, { mtime, atime: 1 }), kind).toBe(0);
      node.mtime = mtime;
    } else if (kind === 'setxattr') {
      const [key, value] = [random.pick(['user.color', 'user.b', 'trusted.c']), random.bytes(random.below(200))];
      expect(client.setxattr(node.ino, key, value), kind).toBe(0);
      node.xattrs.set(key, value);
    } else if (kind === 'removexattr') {
      const key = random.pick(['user.color', 'user.b', 'trusted.c']);
      expect(client.removexattr(node.ino, key), kind).toBe(model.removexattr(node, key));
    } else if (kind === 'hole') {
      if (node.content.length === 0) return;
      const offset = random.below(node.content.length);
      const length = 1 + random.below(node.content.length - offset);
      // FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE
      if (client.fallocate(node.ino, offset, length, 3) === 0) model.write(node, offset, Buffer.alloc(length));
    } else if (kind === 'copy') {
      const source = this.#pick(isFile)?.node;
      if (!source || source === node) return;
      const offset = random.below(source.content.length + 1);
      const at = random.below(node.content.length + 1);
      const copied = client.copyFileRange(source.ino, offset, node.ino, at, 5000);
      if (copied > 0) model.write(node, at, Buffer.from(source.content.subarray(offset, offset + copied)));
      node.mtime = undefined;
    }
  }

  /** Lets one of the unlinked files go, after a look at its contents. */
  closeOne(): void {
    const open = this.#unlinked.shift();
    if (!open) return;
    expect(this.#client.readAll(open.node.ino).equals(open.node.content), 'unlinked file').toBe(true);
    this.#client.forget(open.node.ino, open.references);
  }

  compare(): void {
    this.#compareNode(1, this.model.root, '');
  }

  #compareNode(ino: number, node: ModelNode, path: string): void {
    const client = this.#client;
    const attributes = client.getattr(ino);
    if (typeof attributes === 'number') throw new Error(`getattr of ${path} gave ${attributes}`);
    const { mode, uid, gid, nlink, rdev, size, mtime } = attributes;
    const wanted = { ino: node.ino, mode: node.mode, uid: node.uid, gid: node.gid, nlink: node.nlink, rdev: node.rdev };
    expect({ ino, mode, uid, gid, nlink, rdev }, path).toEqual(wanted);
    if (node.mtime !== undefined) expect(mtime, `mtime of ${path}`).toBe(node.mtime);
    expect(client.listxattr(ino).sort(), `xattrs of ${path}`).toEqual([...node.xattrs.keys()].sort());
    for (const [name, value] of node.xattrs) expect(client.getxattr(ino, name), `${name} of ${path}`).toEqual(value);
    if (isFile(node)) {
      expect(size, `size of ${path}`).toBe(node.content.length);
      expect(client.readAll(ino).equals(node.content), `contents of ${path}`).toBe(true);
    }
    if (node.target) expect(client.readlink(ino)).toBe(node.target);
    if (!isDirectory(node)) return;
    const listed = client.readdir(ino, this.random.chance(0.5));
    expect(listed.map(({ name }) => name).sort(), `names in ${path}`).toEqual([...node.children.keys()].sort());
    for (const { name, ino: number } of listed) {
      expect(number, `${path}/${name}`).toBe(node.children.get(name)!.ino);
      expect(client.lookup(ino, name)).toBe(number);
      client.forget(number, 1);
      this.#compareNode(number, node.children.get(name)!, `${path}/${name}`);
    }
  }
}

const seeds = process.env['UNION_SEED'] ? [Number(process.env['UNION_SEED'])] : [1, 2, Date.now() % 1_000_000];
const steps = Number(process.env['UNION_STEPS'] ?? 1500);

describe.each([true, false])('random operations against the model, immutable lower layer: %s', (immutable) => {
  test.each(seeds)('UNION_SEED=%i', (seed) => {
    const run = new Run(seed, immutable);
    // As the kernel, whoever uses a number has looked it up before.
    run.compare();
    for (let step = 1; step <= steps; step++) {
      run.step();
      if (step % 10 === 0) run.closeOne();
      if (step % 100 === 0) run.compare();
      if (step % 300 === 0) {
        if (run.random.chance(0.5)) run.crash();
        else run.remount();
        run.compare();
      }
    }
    run.close();
  });
});
