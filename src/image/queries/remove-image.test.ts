import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digestOf, type Digest } from '../digest.ts';
import type { ImageStore, ImageUser } from '../image-store.ts';
import { mediaTypes } from '../manifest.ts';
import { pullImage } from '../pull.ts';
import { beginAddition, noteRemoval } from '../store/activity.ts';
import { updateIndex } from '../store/update-index.ts';
import { releaseSpace, tidyUp } from '../store/sweep.ts';
import { FakeRegistry } from '../testing/fake-registry.ts';
import { buildTar } from '../testing/tar-builder.ts';
import { temporaryStore } from '../testing/temporary-store.ts';
import { listImages, resolveImage } from './list-images.ts';
import { removeImage, type RemovalStep } from './remove-image.ts';
import { tagImage } from './tag-image.ts';

let registry: FakeRegistry;
let home: ReturnType<typeof temporaryStore>;
let store: ImageStore;

beforeEach(async () => {
  registry = await FakeRegistry.start();
  home = temporaryStore();
  store = home.store;
});

afterEach(async () => {
  home[Symbol.dispose]();
  await registry[Symbol.asyncDispose]();
});

const base = buildTar([
  { path: 'shared', content: 'shared by all' },
  { path: 'base', content: 'of the base' },
]);
const first = buildTar([
  { path: 'own', content: 'of the first' },
  { path: 'twin', content: 'the same in both' },
]);
const second = buildTar([{ path: 'twin', content: 'the same in both' }]);

async function add(
  name: string,
  layers: Buffer[],
): Promise<{ id: Digest; manifest: Digest; diffIds: readonly Digest[] }> {
  const [repository, tag] = name.split(':') as [string, string];
  const image = registry.addImage(repository, tag, { layers });
  await pullImage(store, `${registry.host}/${name}`, { policy: 'always' });
  return { id: image.configDigest, manifest: image.manifestDigest, diffIds: image.diffIds };
}

function remove(name: string, options: { force?: boolean; user?: ImageUser } = {}): Promise<RemovalStep[]> {
  const users = new Map<Digest, ImageUser>();
  if (options.user) for (const { id } of listImages(store, fail)) users.set(id, options.user);
  return removeImage(store, name, { force: options.force ?? false, users });
}

function fail(error: Error): void {
  throw error;
}

function storedFiles(): string[] {
  const { blobs, files, layers, unproven, trees, temporary, partial, unfinished } = store.layout;
  return [blobs, files, layers, unproven, trees, temporary, partial, unfinished].flatMap((folder) =>
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  );
}

function contentExists(content: string): boolean {
  const hex = digestOf(content).slice('sha256:'.length);
  return existsSync(join(store.layout.files, hex.slice(0, 2), hex.slice(2)));
}

describe('rmi by name', () => {
  test('of the only name removes the image, with all that it alone needed', async () => {
    const { host } = registry;
    const { id, manifest, diffIds } = await add('one:1', [base, first]);
    expect(await remove(`${host}/one:1`)).toEqual([
      { Untagged: `${host}/one:1` },
      { Untagged: `${host}/one@${manifest}` },
      { Deleted: id },
      { Deleted: digestOf(`${diffIds[0]!} ${diffIds[1]!}`) },
      { Deleted: diffIds[0] },
    ]);
    expect(listImages(store, fail)).toEqual([]);
    expect(storedFiles()).toEqual([]);
  });

  test('leaves what other images need', async () => {
    const { host } = registry;
    await add('one:1', [base, first]);
    const other = await add('two:1', [base, second]);
    const steps = await remove(`${host}/one:1`);
    expect(steps.filter((step) => 'Deleted' in step)).toHaveLength(2);
    for (const content of ['shared by all', 'of the base', 'the same in both'])
      expect(contentExists(content)).toBe(true);
    expect(contentExists('of the first')).toBe(false);
    expect(resolveImage(store, other.id).isUnpacked).toBe(true);
    await remove(`${host}/two:1`);
    expect(storedFiles()).toEqual([]);
  });

  test('of one of several names removes just that', async () => {
    const { host } = registry;
    await add('one:1', [base]);
    await tagImage(store, `${host}/one:1`, 'mine');
    expect(await remove('mine')).toEqual([{ Untagged: 'mine:latest' }]);
    expect(resolveImage(store, `${host}/one:1`).repoTags).toEqual([`${host}/one:1`]);
  });

  test('unknown names and nonsense', async () => {
    await expect(remove('nothing')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: 'No such image: nothing:latest',
    });
    await expect(remove('Nothing')).rejects.toMatchObject({ code: 'INVALID' });
    await expect(remove('abc/')).rejects.toMatchObject({ code: 'INVALID' });
  });
});

describe('rmi by id', () => {
  test('removes all names of one repository', async () => {
    const { host } = registry;
    const { id, manifest } = await add('one:1', [base]);
    expect((await remove(id.slice(7, 15))).slice(0, 3)).toEqual([
      { Untagged: `${host}/one@${manifest}` },
      { Untagged: `${host}/one:1` },
      { Deleted: id },
    ]);
    expect(storedFiles()).toEqual([]);
  });

  test('with names in several repositories asks for force', async () => {
    const { id } = await add('one:1', [base]);
    await tagImage(store, id, 'mine:2');
    await expect(remove(id)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: `conflict: unable to delete ${id.slice(7, 19)} (must be forced) - image is referenced in multiple repositories`,
    });
    expect(await remove(id, { force: true })).toContainEqual({ Deleted: id });
    expect(storedFiles()).toEqual([]);
  });
});

describe('an image that a container uses', () => {
  const user = { container: 'c0ffee'.repeat(10), isRunning: false };

  test('keeps its last name and its data without force', async () => {
    const { id } = await add('one:1', [base]);
    await expect(remove(`${registry.host}/one:1`, { user })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: `conflict: unable to remove repository reference "${registry.host}/one:1" (must force) - container c0ffeec0ffee is using its referenced image ${id.slice(7, 19)}`,
    });
    await expect(remove(id, { user })).rejects.toThrow('image is being used by stopped container c0ffeec0ffee');
  });

  test('keeps its data with force', async () => {
    const { id, manifest } = await add('one:1', [base]);
    expect(await remove(`${registry.host}/one:1`, { user, force: true })).toEqual([
      { Untagged: `${registry.host}/one:1` },
      { Untagged: `${registry.host}/one@${manifest}` },
    ]);
    expect(resolveImage(store, id)).toMatchObject({ repoTags: [], repoDigests: [], isUnpacked: true });
    expect(await remove(id)).toContainEqual({ Deleted: id });
    expect(storedFiles()).toEqual([]);
  });

  test('that runs keeps it by id even so', async () => {
    const { id } = await add('one:1', [base]);
    await expect(remove(id, { user: { ...user, isRunning: true }, force: true })).rejects.toThrow(
      '(cannot be forced) - image is being used by running container c0ffeec0ffee',
    );
  });
});

describe('tags', () => {
  test('move, and leave the old image nameless', async () => {
    const one = await add('one:1', [base]);
    const two = await add('two:1', [second]);
    await tagImage(store, one.id, 'app');
    await tagImage(store, two.id, 'app');
    expect(resolveImage(store, 'app').id).toBe(two.id);
    await remove(`${registry.host}/one:1`);
    await expect(tagImage(store, 'app', `x@${one.manifest}`)).rejects.toMatchObject({ code: 'INVALID' });
    await expect(tagImage(store, 'nothing', 'x')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(listImages(store, fail).map(({ id }) => id)).toEqual([two.id]);
  });

  test('a name comes before an id that begins like it', async () => {
    const { id } = await add('one:1', [base]);
    const two = await add('two:1', [second]);
    const prefix = id.slice(7, 11);
    await tagImage(store, two.id, prefix);
    expect(resolveImage(store, prefix).id).toBe(two.id);
    expect(resolveImage(store, `sha256:${prefix}`).id).toBe(id);
  });
});

describe('tidying up', () => {
  test('a removal during a pull happens when the pull is over', async () => {
    await add('one:1', [base]);
    {
      using addition = await beginAddition(store.layout);
      await remove(`${registry.host}/one:1`);
      expect(contentExists('of the base')).toBe(true);
      addition.finished();
    }
    tidyUp(store.layout);
    expect(storedFiles()).toEqual([]);
  });

  test('a removal that was killed after its note, before the index changed, removes nothing', async () => {
    const { id } = await add('one:1', [base]);
    noteRemoval(store.layout, [resolveImage(store, id).manifestDigest]);
    tidyUp(store.layout);
    expect(resolveImage(store, id).isUnpacked).toBe(true);
    expect(contentExists('of the base')).toBe(true);
    expect(readdirSync(store.layout.unfinished)).toEqual([]);
  });

  test('what a killed pull left stays for a day, so that the next one can go on, and then goes', async () => {
    const { manifest } = await add('one:1', [base, first]);
    // As if killed before it entered the index.
    await updateIndex(store.layout, () => []);
    (await beginAddition(store.layout))[Symbol.dispose]();
    tidyUp(store.layout, Date.now() + 3600_000);
    expect(contentExists('of the first')).toBe(true);
    expect(existsSync(store.layout.tree(manifest))).toBe(true);
    tidyUp(store.layout, Date.now() + 8 * 24 * 3600_000);
    expect(storedFiles()).toEqual([]);
  });

  test('old leftovers go without a trace of the images that are there', async () => {
    await add('one:1', [base, first]);
    const { id } = await add('two:1', [base, second]);
    await updateIndex(store.layout, (entries) => entries.filter(({ name }) => name?.includes('/two') === true));
    (await beginAddition(store.layout))[Symbol.dispose]();
    tidyUp(store.layout, Date.now() + 8 * 24 * 3600_000);
    expect(resolveImage(store, id).isUnpacked).toBe(true);
    expect([contentExists('of the first'), contentExists('the same in both'), contentExists('of the base')]).toEqual([
      false,
      true,
      true,
    ]);
    await remove(id);
    expect(storedFiles()).toEqual([]);
  });

  test('a full disk gives back at once what no image has, but keeps downloads', async () => {
    const { manifest } = await add('one:1', [base]);
    await updateIndex(store.layout, () => []);
    releaseSpace(store.layout);
    expect(contentExists('of the base')).toBe(false);
    expect(existsSync(store.layout.blob(manifest))).toBe(true);
    registry.log.length = 0;
    await pullImage(store, `${registry.host}/one:1`, { policy: 'always' });
    expect(contentExists('of the base')).toBe(true);
    expect(registry.log.filter((line) => line.includes('/blobs/'))).toHaveLength(1);
  });

  test('while an image can not be read nothing goes', async () => {
    const { id } = await add('one:1', [base]);
    await add('two:1', [second]);
    const path = store.layout.blob(id);
    writeFileSync(path, 'damage');
    await remove(`${registry.host}/two:1`);
    expect(contentExists('of the base')).toBe(true);
    await pullImage(store, `${registry.host}/one:1`, { policy: 'always' });
    expect(resolveImage(store, id).isUnpacked).toBe(true);
    expect(contentExists('the same in both')).toBe(false);
  });

  test('an index of several platforms goes with its last image', async () => {
    const one = registry.addImage('app', undefined, { layers: [base] });
    const manifests = [{ ...one.descriptor, platform: { os: 'linux', architecture: 'amd64' } }];
    registry.addManifest(
      'app',
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests },
      mediaTypes.ociIndex,
      '1',
    );
    await pullImage(store, `${registry.host}/app:1`, { policy: 'always', platform: 'linux/amd64' });
    expect(readdirSync(store.layout.blobs)).toHaveLength(4);
    await remove(`${registry.host}/app:1`);
    expect(storedFiles()).toEqual([]);
  });
});
