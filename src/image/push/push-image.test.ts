import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { commitImage } from '../commit-image.ts';
import { addLayer } from '../layer/add-layer.ts';
import { pullImage } from '../pull.ts';
import type { PullEvent } from '../pull/pull-events.ts';
import { remoteTags } from '../pull/remote-tags.ts';
import { resolveImage } from '../queries/list-images.ts';
import { tagImage } from '../queries/tag-image.ts';
import { parseReference, withDefaultTag } from '../reference.ts';
import { beginAddition } from '../store/activity.ts';
import { FakeRegistry, sendError } from '../testing/fake-registry.ts';
import { buildTar } from '../testing/tar-builder.ts';
import { temporaryStore } from '../testing/temporary-store.ts';
import { verifyStore } from '../testing/verify-store.ts';
import type { ImageStore } from '../image-store.ts';
import { localTags } from '../queries/local-tags.ts';
import { pushImage } from './push-image.ts';

function named(text: string): ReturnType<typeof parseReference> {
  return withDefaultTag(parseReference(text));
}

/** An image of one layer made here. */
async function makeImage(store: ImageStore, name: string, content: Buffer | string = 'made here'): Promise<void> {
  using addition = await beginAddition(store.layout);
  const layer = await addLayer(store, chunks(buildTar([{ path: 'file', content }])), 'a test');
  const config = { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: [layer.diffId] } };
  await commitImage(store, { config, layers: [layer.descriptor], references: [named(name)] });
  addition.finished();
}

async function* chunks(bytes: Buffer): AsyncGenerator<Buffer> {
  await Promise.resolve();
  yield bytes;
}

function states(events: readonly PullEvent[]): string[] {
  return events.flatMap((event) => (event.kind === 'layer' && event.current === undefined ? [event.state] : []));
}

test('a pulled image goes as it came, and keeps its digest', async () => {
  await using registry = await FakeRegistry.start();
  const image = registry.addImage('app', '1', { layers: [buildTar([{ path: 'a', content: 'x' }])] });
  using made = temporaryStore();
  await pullImage(made.store, `${registry.host}/app:1`, { policy: 'always' });
  await tagImage(made.store, `${registry.host}/app:1`, `${registry.host}/other/app:2`);
  const events: PullEvent[] = [];
  const pushed = await pushImage(made.store, named(`${registry.host}/other/app:2`), {
    onEvent: (event) => events.push(event),
  });
  expect(pushed.digest).toBe(image.manifestDigest);
  expect(states(events)).toEqual(['Preparing', 'Mounted from app']);
  expect(resolveImage(made.store, `${registry.host}/other/app:2`).repoDigests).toContain(
    `${registry.host}/other/app@${image.manifestDigest}`,
  );
});

test('layers made here are packed; pulled again it is the same image', async () => {
  await using registry = await FakeRegistry.start();
  using made = temporaryStore();
  const name = `${registry.host}/made:1`;
  await makeImage(made.store, name);
  const first = await pushImage(made.store, named(name));
  expect(readdirSync(made.store.layout.temporary)).toEqual([]);
  registry.log.length = 0;
  const events: PullEvent[] = [];
  const again = await pushImage(made.store, named(name), { onEvent: (event) => events.push(event) });
  expect(again).toEqual(first);
  expect(states(events)).toEqual(['Preparing', 'Layer already exists']);
  expect(registry.log.some((line) => line.startsWith('PATCH'))).toBe(false);
  using other = temporaryStore();
  const { image, digest } = await pullImage(other.store, name, { policy: 'always' });
  expect(digest).toBe(first.digest);
  expect(image.id).toBe(resolveImage(made.store, name).id);
  expect(await pullImage(made.store, name, { policy: 'always' })).toMatchObject({ outcome: 'current' });
  expect([...verifyStore(made.store.layout), ...verifyStore(other.store.layout)]).toEqual([]);
});

test('an upload that breaks off is continued', async () => {
  await using registry = await FakeRegistry.start();
  using made = temporaryStore();
  const name = `${registry.host}/large:1`;
  await makeImage(made.store, name, randomBytes(3_000_000));
  registry.uploads.cuts.push(1_000_000, 70_000);
  const events: PullEvent[] = [];
  await pushImage(made.store, named(name), { onEvent: (event) => events.push(event) });
  expect(registry.log.filter((line) => line.startsWith('POST')).length).toBeLessThanOrEqual(2);
  expect(states(events)).toContain('Retrying in 1 second');
  using other = temporaryStore();
  await pullImage(other.store, name, { policy: 'always' });
  expect(verifyStore(other.store.layout)).toEqual([]);
});

test.each([
  [403, 'UNAUTHORIZED', 'DENIED', 'requested access to the resource is denied', /denied: requested access/],
  [429, 'UNAVAILABLE', 'TOOMANYREQUESTS', 'You have reached your push rate limit', /reached your push rate limit/],
  [500, 'UNAVAILABLE', 'UNKNOWN', 'something broke', /something broke/],
])('a registry that answers %d', async (status, code, word, message, expected) => {
  await using registry = await FakeRegistry.start();
  using made = temporaryStore();
  const name = `${registry.host}/refused:1`;
  await makeImage(made.store, name);
  registry.onRequest = ({ method }, response) => {
    if (method !== 'POST') return false;
    sendError(response, status, word, message);
    return true;
  };
  await expect(pushImage(made.store, named(name))).rejects.toMatchObject({
    code,
    message: expect.stringMatching(expected) as string,
  });
  expect(readdirSync(made.store.layout.temporary)).toEqual([]);
});

test('an upload is not sent where a registry over https would have it go in the clear, nor to nowhere', async () => {
  await using registry = await FakeRegistry.start();
  using made = temporaryStore();
  const name = `${registry.host}/lost:1`;
  await makeImage(made.store, name);
  registry.onRequest = ({ method }, response) => {
    if (method !== 'POST') return false;
    response.writeHead(202, { location: 'file:///etc/passwd' }).end();
    return true;
  };
  await expect(pushImage(made.store, named(name))).rejects.toThrow(/does not say where to send a blob to/);
});

test('a blob that is not kept comes from where it is, to the byte', async () => {
  await using registry = await FakeRegistry.start();
  await using target = await FakeRegistry.start();
  const image = registry.addImage('app', '1', { layers: [buildTar([{ path: 'a', content: randomBytes(500_000) }])] });
  using made = temporaryStore({ keepBlobs: false });
  const { store } = made;
  await pullImage(store, `${registry.host}/app:1`, { policy: 'always' });
  expect(existsSync(store.layout.blob(image.layers[0]!.digest))).toBe(false);
  expect(verifyStore(store.layout)).toEqual([]);
  registry.log.length = 0;
  await tagImage(store, `${registry.host}/app:1`, `${registry.host}/app:2`);
  expect(await pullImage(store, `${registry.host}/app:1`, { policy: 'always' })).toMatchObject({ outcome: 'current' });
  await tagImage(store, `${registry.host}/app:1`, `${target.host}/app:1`);
  expect((await pushImage(store, named(`${target.host}/app:1`))).digest).toBe(image.manifestDigest);
  using other = temporaryStore();
  await pullImage(other.store, `${target.host}/app:1`, { policy: 'always' });
  expect(verifyStore(other.store.layout)).toEqual([]);
});

test('what is not there cannot be pushed, and a digest is no place to push to', async () => {
  using made = temporaryStore();
  await expect(pushImage(made.store, named('127.0.0.1:1/none'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  const digest = `127.0.0.1:1/none@sha256:${'0'.repeat(64)}`;
  await expect(pushImage(made.store, parseReference(digest))).rejects.toThrow('cannot push a digest reference');
});

test('all tags, here and there', async () => {
  await using registry = await FakeRegistry.start();
  using made = temporaryStore();
  for (const tag of ['b', 'a']) await makeImage(made.store, `${registry.host}/many:${tag}`);
  const targets = localTags(made.store, parseReference(`${registry.host}/many`));
  expect(targets.map(({ tag }) => tag)).toEqual(['a', 'b']);
  for (const target of targets) await pushImage(made.store, target);
  expect((await remoteTags(made.store, parseReference(`${registry.host}/many`))).sort()).toEqual(['a', 'b']);
});

test('a mirror is asked first, the registry itself where the mirror has not got it', async () => {
  await using mirror = await FakeRegistry.start();
  await using registry = await FakeRegistry.start();
  const layers = [buildTar([{ path: 'a', content: 'x' }])];
  mirror.addImage('app', 'there', { layers });
  registry.addImage('app', 'elsewhere', { layers });
  using made = temporaryStore({ mirrors: { [registry.host]: [`http://${mirror.host}`] } });
  await pullImage(made.store, `${registry.host}/app:there`, { policy: 'always' });
  expect(registry.log).toEqual([]);
  await pullImage(made.store, `${registry.host}/app:elsewhere`, { policy: 'always' });
  expect(mirror.log.length).toBeGreaterThan(4);
});

test('the configuration file names mirrors and insecure registries, and says what is wrong with it', async () => {
  await using mirror = await FakeRegistry.start();
  mirror.addImage('library/app', 'latest', { layers: [buildTar([{ path: 'a', content: 'x' }])] });
  using made = temporaryStore();
  const file = join(dirname(made.root), 'config.json');
  const { openImageStore } = await import('../image-store.ts');
  writeFileSync(file, JSON.stringify({ 'registry-mirrors': [`http://${mirror.host}`], other: 1 }));
  const store = openImageStore(made.root, { env: { HOME: dirname(made.root) } });
  const pulled = await pullImage(store, 'app', { policy: 'always' });
  expect(pulled.canonicalName).toBe('docker.io/library/app:latest');
  expect(existsSync(pulled.image.treePath)).toBe(true);
  writeFileSync(file, '{"insecure-registries": "all"}');
  expect(() => openImageStore(made.root)).toThrow(
    'The configuration\'s "insecure-registries" is not a list of strings',
  );
  writeFileSync(file, 'nonsense');
  expect(() => openImageStore(made.root)).toThrow(/^Cannot read the configuration .*config\.json/);
});
