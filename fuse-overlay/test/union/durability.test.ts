/** The upper layer after its server or the machine died, without a kernel. */
import { cpSync, existsSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FileType, type Notifier } from '../../src/index.ts';
import { Journal } from '../../src/overlay/upper/journal.ts';
import { Random } from './random.ts';
import type { UnionClient } from './union-client.ts';
import { useUnion } from './use-union.ts';

const { EEXIST, ENOENT, ESTALE } = constants.errno;
const bed = useUnion();

test('a request that a dead server did and did not answer is not done again', () => {
  const { request } = bed.client;
  Object.assign(request, { id: 4 });
  const made = bed.client.mknod(1, 'new', FileType.file | 0o644);
  bed.takeOver();
  Object.assign(bed.client.request, { id: 4, resent: true });
  expect(bed.client.mknod(1, 'new', FileType.file | 0o644)).toBe(made);
  Object.assign(bed.client.request, { id: 6, resent: true });
  expect(bed.client.mknod(1, 'new', FileType.file | 0o644)).toBe(-EEXIST);
  Object.assign(bed.client.request, { id: 8, resent: false });
  expect(bed.client.unlink(1, 'new')).toBe(0);
  bed.takeOver();
  Object.assign(bed.client.request, { id: 8, resent: true });
  expect(bed.client.unlink(1, 'new')).toBe(0);
  Object.assign(bed.client.request, { id: 10, resent: true });
  expect(bed.client.unlink(1, 'new')).toBe(-ENOENT);
});

test('after a crash of the machine sizes are those of the data files, and unsynced copies are the lower files again', () => {
  const ino = bed.client.mknod(1, 'f', FileType.file | 0o644);
  bed.client.write(ino, 0, Buffer.from('0123456789'));
  bed.client.setattr(ino, { mtime: 77 });
  const etc = bed.client.lookup(1, 'etc');
  const [copied, synced] = [
    bed.client.lookup(etc, 'passwd'),
    bed.client.lookup(bed.client.lookup(etc, 'skel'), 'profile'),
  ];
  bed.client.write(synced, 3, Buffer.from('=x'));
  expect(bed.client.fsync(synced)).toBe(0);
  bed.client.write(copied, 0, Buffer.from('toor'));
  bed.client.fs.close();
  // As if the machine had lost power: other data on disk than the journal believes, and another boot.
  for (const each of [ino, copied]) {
    truncateSync(join(bed.dir, 'upper', 'data', (each % 256).toString(16).padStart(2, '0'), each.toString(16)), 4);
  }
  const journal = Journal.open(
    join(bed.dir, 'upper', 'journal'),
    () => undefined,
    () => [],
  );
  journal.append([{ kind: 'opened', boot: 'another', lower: '' }]);
  journal.close();
  bed.client = bed.open();
  expect(bed.client.lookup(1, 'f')).toBe(ino);
  expect(bed.client.attributes).toMatchObject({ size: 4, mtime: 77 });
  expect(bed.client.readAll(copied).toString()).toBe('root:x:0');
  expect(bed.client.readAll(synced).toString()).toBe('PS1=x');
});

test('after a takeover the kernel is asked whether a removed file is still open', () => {
  const [open, closed] = [
    bed.client.mknod(1, 'open', FileType.file | 0o644),
    bed.client.mknod(1, 'closed', FileType.file | 0o644),
  ];
  for (const ino of [open, closed]) bed.client.write(ino, 0, Buffer.from('contents'));
  bed.takeOver();
  // As a kernel that holds one of them only.
  const notify = { invalidateNode: (ino: number) => (ino === open ? 0 : -ENOENT) };
  bed.client.fs.init(new Set(), notify as unknown as Notifier);
  for (const name of ['open', 'closed']) {
    const ino = bed.client.lookup(1, name);
    bed.client.unlink(1, name);
    bed.client.forget(ino, 1);
  }
  expect(bed.client.readAll(open).toString()).toBe('contents');
  expect(bed.client.getattr(closed)).toBe(-ESTALE);
  bed.client.forget(open, 1);
  expect(bed.client.getattr(open)).toBe(-ESTALE);
});

test('data files without an inode are swept away', () => {
  const ino = bed.client.mknod(1, 'f', FileType.file | 0o644);
  bed.client.write(ino, 0, Buffer.from('0123456789'));
  bed.client.unlink(1, 'f');
  bed.takeOver();
  const [folder] = readdirSync(join(bed.dir, 'upper', 'data'));
  expect(readdirSync(join(bed.dir, 'upper', 'data', folder!)).length).toBe(1);
  expect(bed.client.readAll(ino).toString()).toBe('0123456789');
  bed.client.fs.close();
  bed.client = bed.open();
  expect(readdirSync(join(bed.dir, 'upper', 'data', folder!))).toEqual([]);
  expect(existsSync(join(bed.dir, 'upper', 'journal'))).toBe(true);
});

test('a snapshot of the journal keeps everything', () => {
  const before: number[] = [];
  for (let round = 0; round < 40_000; round++) {
    const name = `f${round % 50}`;
    const former = bed.client.lookup(1, name);
    if (former > 0) {
      bed.client.unlink(1, name);
      bed.client.forget(former, 2);
    }
    before[round % 50] = bed.client.mknod(1, name, FileType.file | (0o400 + (round % 8)));
  }
  expect(statSync(join(bed.dir, 'upper', 'journal')).size).toBeLessThan(5 * 1024 * 1024);
  bed.takeOver();
  for (let at = 0; at < 50; at++) expect(bed.client.lookup(1, `f${at}`)).toBe(before[at]);
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
  const etc = bed.client.lookup(1, 'etc');
  const directories = [1, etc];
  for (let step = 0; step < 150; step++) {
    const [parent, other] = [random.pick(directories), random.pick(directories)];
    const [name, newName] = [random.pick(['a', 'b', 'c', 'skel']), random.pick(['a', 'b', 'd', 'again'])];
    const kind = random.below(6);
    if (kind === 0) {
      const made = bed.client.mknod(parent, name, FileType.file | 0o644);
      if (made > 0) bed.client.write(made, 0, random.bytes(50));
    } else if (kind === 1 && directories.length < 6) {
      const made = bed.client.mkdir(parent, name, 0o755);
      if (made > 0) directories.push(made);
    } else if (kind === 2) {
      const ino = bed.client.lookup(parent, name);
      if (ino > 0) bed.client.link(ino, other, newName);
    } else if (kind === 3) bed.client.unlink(parent, name);
    // Files only: the kernel keeps directories from moving into themselves.
    else if (
      kind === 4 &&
      !directories.includes(bed.client.lookup(parent, name)) &&
      bed.client.lookup(parent, name) > 0
    ) {
      bed.client.getattr(bed.client.lookup(parent, name));
      if ((bed.client.attributes.mode & FileType.mask) === FileType.file)
        bed.client.rename(parent, name, other, newName, random.pick([0, 1]));
    } else if (kind === 5) bed.client.setattr(random.pick(directories), { mode: 0o700 });
  }
  checkConsistent(bed.client);
  const journal = join(bed.dir, 'upper', 'journal');
  const { size } = statSync(journal);
  for (let cut = 8; cut < size; cut += 1 + random.below(Math.ceil(size / 60))) {
    const copy = join(bed.dir, 'cut');
    cpSync(join(bed.dir, 'upper'), copy, { recursive: true });
    truncateSync(join(copy, 'journal'), cut);
    const cutOff = bed.open({ takeover: random.chance(0.5) }, 'cut');
    checkConsistent(cutOff);
    cutOff.fs.close();
    rmSync(copy, { recursive: true });
  }
});
