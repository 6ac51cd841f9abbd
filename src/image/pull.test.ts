import { chmodSync, existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { digestHex, digestOf } from './digest.ts';
import type { ImageStore } from './image-store.ts';
import { mediaTypes } from './manifest.ts';
import { pullImage, type PulledImage, type PullOptions } from './pull.ts';
import type { PullEvent } from './pull/pull-events.ts';
import { inspectImage } from './queries/inspect-image.ts';
import { listImages, resolveImage } from './queries/list-images.ts';
import type { StoredImage } from './queries/stored-images.ts';
import { FakeRegistry, sendError } from './testing/fake-registry.ts';
import { buildTar } from './testing/tar-builder.ts';
import { temporaryStore } from './testing/temporary-store.ts';

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

/** Bytes that don't compress, the same for the same seed. */
function noise(seed: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  for (let at = 0, state = seed; at < length; at++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

const base = buildTar([
  { path: 'bin/', type: '5', mode: 0o755 },
  { path: 'bin/sh', content: noise(1, 200_000), mode: 0o755 },
  { path: 'etc/gone', content: 'x' },
]);
const upper = buildTar([{ path: 'etc/.wh.gone' }, { path: 'etc/new', content: noise(2, 100_000) }]);

function pull(name = 'app:1', options: Partial<PullOptions> = {}): Promise<PulledImage> {
  return pullImage(store, `${registry.host}/${name}`, { policy: 'always', ...options });
}

async function failure(pulled: Promise<unknown>): Promise<{ code: string; message: string }> {
  const error: unknown = await pulled.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(Error);
  expect((error as Error).message).not.toContain('\n');
  return error as { code: string; message: string };
}

/** The first count in a tree's header. */
function treeNodes({ treePath }: StoredImage): number {
  return readFileSync(treePath).readUInt32LE(8);
}

/** Nothing came to exist. */
function expectNoImage(): void {
  expect(listImages(store, fail)).toEqual([]);
  expect(readdirSync(store.layout.trees)).toEqual([]);
}

function fail(error: Error): void {
  throw error;
}

describe('a pull', () => {
  test('leaves an image that can be listed, inspected and mounted, and an OCI layout', async () => {
    const { manifestDigest, configDigest, layers, diffIds } = registry.addImage('app', '1', { layers: [base, upper] });
    const events: PullEvent[] = [];
    const { image, outcome, digest, canonicalName } = await pull('app:1', { onEvent: (event) => events.push(event) });
    expect({ outcome, digest, canonicalName }).toEqual({
      outcome: 'pulled',
      digest: manifestDigest,
      canonicalName: `${registry.host}/app:1`,
    });
    expect(image).toMatchObject({
      id: configDigest,
      manifestDigest,
      isUnpacked: true,
      repoTags: [`${registry.host}/app:1`],
      repoDigests: [`${registry.host}/app@${manifestDigest}`],
      size: 300_001,
      created: '2024-01-02T03:04:05Z',
      config: { config: { Cmd: ['sh'] }, diffIds },
    });
    expect(listImages(store, fail)).toEqual([image]);
    expect(inspectImage(store, configDigest)).toMatchObject({
      Id: configDigest,
      RepoTags: [`${registry.host}/app:1`],
      Os: 'linux',
      Architecture: 'amd64',
      Size: 300_001,
      RootFS: { Type: 'layers', Layers: diffIds },
    });

    // The root, bin, sh, etc, new: what the upper layer whites out is gone.
    expect(treeNodes(image)).toBe(5);

    expect(readdirSync(store.layout.blobs).sort()).toEqual(
      [manifestDigest, configDigest, ...layers.map((layer) => layer.digest)].map(digestHex).sort(),
    );
    for (const name of readdirSync(store.layout.blobs)) {
      expect(digestHex(digestOf(readFileSync(`${store.layout.blobs}/${name}`)))).toBe(name);
    }
    for (const folder of [store.layout.partial, store.layout.temporary, store.layout.unfinished]) {
      expect(readdirSync(folder)).toEqual([]);
    }

    expect(events[0]).toEqual({ kind: 'start', reference: '1', repository: 'app' });
    for (const { digest: layer, size } of layers) {
      const id = digestHex(layer).slice(0, 12);
      const own = events.filter((event) => event.kind === 'layer').filter((event) => event.id === id);
      const states = own.map((event) => event.state).filter((state, index, all) => state !== all[index - 1]);
      expect(states.filter((state) => state !== 'Extracting')).toEqual([
        'Pulling fs layer',
        'Downloading',
        'Verifying Checksum',
        'Download complete',
        'Pull complete',
      ]);
      expect(own.filter((event) => event.state === 'Downloading').at(-1)).toMatchObject({ current: size, total: size });
    }
  });

  test('of what is there asks once and sends nothing', async () => {
    registry.addImage('app', '1', { layers: [base] });
    await pull();
    registry.log.length = 0;
    expect((await pull()).outcome).toBe('current');
    expect(registry.log).toEqual(['GET /v2/', 'HEAD /v2/app/manifests/1']);
    registry.log.length = 0;
    expect((await pull('app:1', { policy: 'missing' })).outcome).toBe('present');
    expect((await pull('app:1', { policy: 'never' })).outcome).toBe('present');
    expect(registry.log).toEqual([]);
  });

  test('that may not ask says what is missing', async () => {
    expect(await failure(pull('app:1', { policy: 'never' }))).toMatchObject({
      code: 'NOT_FOUND',
      message: `No such image: ${registry.host}/app:1`,
    });
    expect(registry.log).toEqual([]);
  });

  test('of a newer image with the same base fetches the rest only, and the old one stays without its tag', async () => {
    const first = registry.addImage('app', '1', { layers: [base] });
    await pull();
    registry.addImage('app', '1', { layers: [base, upper] });
    registry.log.length = 0;
    const events: PullEvent[] = [];
    const { outcome, image } = await pull('app:1', { onEvent: (event) => events.push(event) });
    expect(outcome).toBe('pulled');
    const shared = first.layers[0]!.digest;
    expect(registry.log.filter((line) => line.includes(shared))).toEqual([]);
    expect(events).toContainEqual({ kind: 'layer', id: digestHex(shared).slice(0, 12), state: 'Already exists' });
    expect(listImages(store, fail).map(({ repoTags }) => repoTags)).toEqual([[`${registry.host}/app:1`], []]);
    expect(resolveImage(store, first.configDigest.slice(7, 19)).repoDigests).toHaveLength(1);
    expect(image.id).not.toBe(first.configDigest);
  });

  test('by digest gives the name by digest only', async () => {
    const { manifestDigest } = registry.addImage('app', undefined, { layers: [base] });
    const { image } = await pull(`app@${manifestDigest}`);
    expect(image.repoTags).toEqual([]);
    expect(resolveImage(store, `${registry.host}/app@${manifestDigest}`).id).toBe(image.id);
    registry.log.length = 0;
    expect((await pull(`app@${manifestDigest}`, { policy: 'missing' })).outcome).toBe('present');
    expect(registry.log).toEqual([]);
  });

  test('an image without layers, one with the same layer twice, one with an empty file system', async () => {
    registry.addImage('none', '1', { layers: [] });
    registry.addImage('twice', '1', { layers: [base, base] });
    registry.addImage('empty', '1', { layers: [buildTar([])] });
    for (const name of ['none', 'twice', 'empty']) expect((await pull(`${name}:1`)).outcome).toBe('pulled');
    expect(treeNodes(resolveImage(store, `${registry.host}/none:1`))).toBe(1);
  });

  test('large layers are unpacked by threads while they come in', async () => {
    const layers = [1, 2, 3, 4].map((seed) => buildTar([{ path: `f${seed}`, content: noise(seed, 3_000_000) }]));
    registry.addImage('app', '1', { layers });
    const { image } = await pull();
    expect(image.size).toBe(12_000_000);
    const [file] = readdirSync(store.layout.files).slice(0, 1);
    expect(statSync(`${store.layout.files}/${file!}`).isDirectory()).toBe(true);
  });
});

describe('platforms', () => {
  function addList(): Record<'amd64' | 'arm64', string> {
    const amd64 = registry.addImage('app', undefined, { layers: [base] });
    const arm64 = registry.addImage('app', undefined, { layers: [base, upper], architecture: 'arm64' });
    const attestation = registry.addImage('app', undefined, { layers: [] });
    const manifests = [
      { ...attestation.descriptor, platform: { os: 'unknown', architecture: 'unknown' } },
      { ...arm64.descriptor, platform: { os: 'linux', architecture: 'arm64', variant: 'v8' } },
      { ...amd64.descriptor, platform: { os: 'linux', architecture: 'amd64' } },
    ];
    registry.addManifest(
      'app',
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests },
      mediaTypes.ociIndex,
      '1',
    );
    return { amd64: amd64.configDigest, arm64: arm64.configDigest };
  }

  test('the asked one is chosen from a list, whose digest names the image', async () => {
    const ids = addList();
    for (const architecture of ['amd64', 'arm64'] as const) {
      const { image, digest } = await pull('app:1', { platform: `linux/${architecture}` });
      expect(image.id).toBe(ids[architecture]);
      expect(digest).not.toBe(image.manifestDigest);
      expect(image.repoDigests).toEqual([`${registry.host}/app@${digest!}`]);
    }
  });

  test('an image that is there for another platform is no answer to the question', async () => {
    const ids = addList();
    await pull('app:1', { platform: 'linux/amd64' });
    const { image, outcome } = await pull('app:1', { platform: 'arm64', policy: 'missing' });
    expect([image.id, outcome]).toEqual([ids.arm64, 'pulled']);
  });

  test('errors name the platform', async () => {
    addList();
    const { message, code } = await failure(pull('app:1', { platform: 'linux/s390x' }));
    expect(code).toBe('NOT_FOUND');
    expect(message).toBe(
      `no matching manifest for linux/s390x in the manifest list entries of ${registry.host}/app:1 (it has linux/arm64/v8, linux/amd64)`,
    );
    registry.addImage('single', '1', { layers: [base], architecture: 'riscv64' });
    expect((await failure(pull('single:1', { platform: 'linux/amd64' }))).message).toContain(
      'its platform (linux/riscv64) does not match the specified platform (linux/amd64)',
    );
    const events: PullEvent[] = [];
    await pull('single:1', { onEvent: (event) => events.push(event) });
    expect(events.filter(({ kind }) => kind === 'notice')).toHaveLength(1);
    expect((await failure(pull('app:1', { platform: 'a/b/c/d' }))).code).toBe('INVALID');
  });
});

describe('what is no image is refused with a clear word', () => {
  test.each<[string, (manifest: Record<string, unknown>) => void, string, string]>([
    [
      'an artifact',
      (manifest) => {
        const config = manifest['config'] as object;
        manifest['config'] = { ...config, mediaType: 'application/vnd.cncf.helm.config.v1+json' };
      },
      'UNSUPPORTED',
      'is not an image but an artifact of type "application/vnd.cncf.helm.config.v1+json"',
    ],
    ['schema 1', (manifest) => (manifest['schemaVersion'] = 1), 'UNSUPPORTED', 'schema 1'],
    ['manifest and list in one', (manifest) => (manifest['manifests'] = []), 'INVALID', 'ambiguous'],
    [
      'an encrypted layer',
      (manifest) => {
        const [layer] = manifest['layers'] as object[];
        manifest['layers'] = [{ ...layer, mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip+encrypted' }];
      },
      'UNSUPPORTED',
      'layer of the unsupported type',
    ],
    [
      'more layers than the config knows',
      (manifest) => (manifest['layers'] = []),
      'INVALID',
      'has 0 layers, but its config lists 1',
    ],
    [
      'a digest that is a path',
      (manifest) => {
        const [layer] = manifest['layers'] as object[];
        manifest['layers'] = [{ ...layer, digest: 'sha256:../../../etc/passwd' }];
      },
      'INVALID',
      'invalid checksum digest format',
    ],
    [
      'a negative size',
      (manifest) => {
        const [layer] = manifest['layers'] as object[];
        manifest['layers'] = [{ ...layer, size: -1 }];
      },
      'INVALID',
      'size',
    ],
  ])('%s', async (_, editManifest, code, text) => {
    registry.addImage('app', '1', { layers: [base], editManifest });
    const error = await failure(pull());
    expect(error.code).toBe(code);
    expect(error.message).toContain(text);
    expectNoImage();
  });

  test.each<[string, (config: Record<string, unknown>) => void, string]>([
    ['windows', (config) => (config['os'] = 'windows'), 'is an image for windows'],
    ['a config without layers', (config) => (config['rootfs'] = undefined), 'no list of layers'],
    ['an environment that is none', (config) => (config['config'] = { Env: 'PATH=/' }), 'Env is not a list'],
    ['a command with NUL', (config) => (config['config'] = { Cmd: ['a\0b'] }), 'NUL'],
  ])('%s', async (_, editConfig, text) => {
    registry.addImage('app', '1', { layers: [base], editConfig });
    expect((await failure(pull())).message).toContain(text);
    expectNoImage();
  });

  test('a hostile layer, and its blob does not stay', async () => {
    registry.addImage('app', '1', { layers: [base, buildTar([{ path: '../../x', content: 'x' }])] });
    const { code, message } = await failure(pull());
    expect(code).toBe('INVALID');
    expect(message).toMatch(/^Cannot unpack layer [0-9a-f]{12}: .*has "\.\." in it/);
    expectNoImage();
  });

  test('a hard link to nowhere', async () => {
    registry.addImage('app', '1', { layers: [buildTar([{ path: 'l', type: '1', linkPath: 'none' }])] });
    for (let again = 0; again < 2; again++) {
      expect((await failure(pull())).message).toContain('"l" is a hard link to a file that does not exist');
    }
    expectNoImage();
  });
});

describe('a registry that misbehaves', () => {
  test('has the wrong bytes for a layer', async () => {
    const { layers } = registry.addImage('app', '1', { layers: [base] });
    const wrong = gzipSync(buildTar([{ path: 'evil', content: noise(9, 200_000) }]));
    registry.corruptBlob(
      layers[0]!.digest,
      Buffer.concat([wrong, Buffer.alloc(1_000_000)]).subarray(0, layers[0]!.size),
    );
    const { code, message } = await failure(pull());
    expect(code).toBe('DAMAGED');
    expect(message).toContain(`filesystem layer verification failed for digest ${layers[0]!.digest}`);
    expectNoImage();
  });

  test('has the wrong bytes for a config or a manifest', async () => {
    const { configDigest, manifestDigest } = registry.addImage('app', '1', { layers: [base] });
    registry.corruptBlob(configDigest, Buffer.from('{"rootfs":{"type":"layers","diff_ids":[]}}'));
    expect(await failure(pull())).toMatchObject({ code: 'DAMAGED' });
    registry.onRequest = (request, response) => {
      if (request.url?.includes('/manifests/') !== true) return false;
      response.end(JSON.stringify({ schemaVersion: 2, layers: [], config: {} }));
      return true;
    };
    const { message } = await failure(pull(`app@${manifestDigest}`));
    expect(message).toContain(`manifest verification failed for digest ${manifestDigest}`);
    expectNoImage();
  });

  test.each([
    ['says less than it sends', -1000, 'larger than'],
    ['says more than it sends', 1000, 'unexpected EOF'],
  ])('%s', async (_, difference, text) => {
    registry.addImage('app', '1', {
      layers: [base],
      editManifest: (manifest) => {
        const [layer] = manifest['layers'] as { size: number }[];
        manifest['layers'] = [{ ...layer, size: layer!.size + difference }];
      },
    });
    expect((await failure(pull())).message).toContain(text);
    expectNoImage();
  });

  test('sends more than it says, without a length', async () => {
    const { layers } = registry.addImage('app', '1', { layers: [base] });
    registry.onRequest = (request, response) => {
      if (request.url?.includes(layers[0]!.digest) !== true) return false;
      response.writeHead(200);
      response.end(Buffer.alloc(layers[0]!.size + 1));
      return true;
    };
    expect((await failure(pull())).message).toContain('larger than');
  });

  test('drops every connection after some kilobytes: the download goes on where it was', async () => {
    const { layers } = registry.addImage('app', '1', { layers: [base] });
    const { digest, size } = layers[0]!;
    const starts: number[] = [];
    registry.onRequest = (request, response) => {
      if (request.url?.includes(digest) !== true) return false;
      const start = Number(/bytes=([0-9]+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
      starts.push(start);
      if (starts.length > 5) return false;
      const { socket } = response;
      const blob = gzipSync(base);
      response.writeHead(start > 0 ? 206 : 200, {
        'content-length': size - start,
        ...(start > 0 && { 'content-range': `bytes ${start}-${size - 1}/${size}` }),
      });
      response.write(blob.subarray(start, start + 30_000), () => socket?.destroy());
      return true;
    };
    expect((await pull()).outcome).toBe('pulled');
    expect(starts.length).toBeGreaterThan(5);
    expect(starts.slice(1).every((start, index) => start > starts[index]!)).toBe(true);
  });

  test('forgets about ranges', async () => {
    const { layers } = registry.addImage('app', '1', { layers: [base] });
    const { digest, size } = layers[0]!;
    let tries = 0;
    registry.onRequest = (request, response) => {
      if (request.url?.includes(digest) !== true) return false;
      const blob = gzipSync(base);
      response.writeHead(200, { 'content-length': size });
      if (++tries === 1) response.write(blob.subarray(0, 50_000), () => response.socket?.destroy());
      else response.end(blob);
      return true;
    };
    expect((await pull()).outcome).toBe('pulled');
    expect(tries).toBe(2);
  });

  test('is too busy, then is not', async () => {
    registry.addImage('app', '1', { layers: [base] });
    let left = 2;
    registry.onRequest = (request, response) => {
      if (request.url === '/v2/' || left-- <= 0) return false;
      response.setHeader('retry-after', '0');
      sendError(response, left === 1 ? 429 : 503, 'TOOMANYREQUESTS', 'slow down');
      return true;
    };
    expect((await pull()).outcome).toBe('pulled');
  });

  test('stays too busy: its own words are told', async () => {
    registry.addImage('app', '1', { layers: [base] });
    registry.onRequest = (request, response) => {
      if (request.url === '/v2/') return false;
      sendError(response, 429, 'TOOMANYREQUESTS', 'You have reached your pull rate limit.');
      return true;
    };
    const { code, message } = await failure(pull());
    expect(code).toBe('UNAVAILABLE');
    expect(message).toContain('toomanyrequests: You have reached your pull rate limit.');
    expect(registry.log.filter((line) => line.includes('manifests'))).toHaveLength(4);
  });

  test('falls silent', async () => {
    const { layers } = registry.addImage('app', '1', { layers: [base] });
    let tries = 0;
    registry.onRequest = (request, response) => {
      if (request.url?.includes(layers[0]!.digest) !== true || ++tries > 1) return false;
      response.writeHead(200, { 'content-length': layers[0]!.size });
      response.write(gzipSync(base).subarray(0, 1000));
      return true;
    };
    expect((await pull()).outcome).toBe('pulled');
    expect(tries).toBe(2);
  });

  test('does not have it', async () => {
    const { code, message } = await failure(pull('nothing:1'));
    expect([code, message]).toEqual([
      'NOT_FOUND',
      `manifest for ${registry.host}/nothing:1 not found: manifest unknown: manifest unknown`,
    ]);
  });

  test('is not there at all', async () => {
    const { host } = registry;
    await registry[Symbol.asyncDispose]();
    const { code, message } = await failure(pullImage(store, `${host}/app:1`, { policy: 'always' }));
    expect(code).toBe('UNAVAILABLE');
    expect(message).toBe(
      `Cannot reach registry ${host}: connect: connection refused; is a registry running there? (ECONNREFUSED)`,
    );
    registry = await FakeRegistry.start();
  });

  test('redirects for ever', async () => {
    registry.addImage('app', '1', { layers: [base] });
    registry.onRequest = (request, response) => {
      if (request.url?.includes('/blobs/') !== true) return false;
      response.writeHead(307, { location: request.url }).end();
      return true;
    };
    expect((await failure(pull())).message).toContain('redirects more than 10 times');
  });
});

describe('a pull that does not end', () => {
  test('is cancelled, and the next one goes on from what it had', async () => {
    const layer = buildTar([{ path: 'f', content: noise(3, 3_000_000) }]);
    const { layers } = registry.addImage('app', '1', { layers: [layer] });
    const { digest, size } = layers[0]!;
    const stop = new AbortController();
    registry.onRequest = (request, response) => {
      if (request.url?.includes(digest) !== true) return false;
      response.writeHead(200, { 'content-length': size });
      response.write(gzipSync(layer).subarray(0, 1_000_000));
      return true;
    };
    function onEvent(event: PullEvent): void {
      if (event.kind === 'layer' && (event.current ?? 0) >= 1_000_000) stop.abort();
    }
    const error = await failure(pull('app:1', { signal: stop.signal, onEvent }));
    expect(error.code).toBe('CANCELLED');
    expectNoImage();
    const partial = statSync(store.layout.partialBlob(digest)).size;
    expect(partial).toBeGreaterThanOrEqual(1_000_000);

    registry.onRequest = () => false;
    registry.headers.length = 0;
    expect((await pull()).outcome).toBe('pulled');
    expect(registry.headers.map(({ range }) => range).filter(Boolean)).toEqual([`bytes=${partial}-`]);
  });

  test('left a damaged partial blob: it is fetched again from the start', async () => {
    const { layers } = registry.addImage('app', '1', { layers: [base] });
    writeFileSync(store.layout.partialBlob(layers[0]!.digest), noise(5, 10_000));
    expect((await pull()).outcome).toBe('pulled');
  });

  test('left one that is too long', async () => {
    const { layers } = registry.addImage('app', '1', { layers: [base] });
    writeFileSync(store.layout.partialBlob(layers[0]!.digest), '');
    truncateSync(store.layout.partialBlob(layers[0]!.digest), layers[0]!.size + 1);
    expect((await pull()).outcome).toBe('pulled');
  });

  test('two at once share the work', async () => {
    const { layers } = registry.addImage('app', '1', { layers: [base, upper] });
    const outcomes = await Promise.all([pull(), pull(), pull()]);
    expect(new Set(outcomes.map(({ image }) => image.id)).size).toBe(1);
    for (const { digest } of layers) {
      expect(registry.log.filter((line) => line.startsWith('GET') && line.includes(digest))).toHaveLength(1);
    }
  });
});

describe('after a power failure', () => {
  /** As if the layers had been written in an earlier boot. */
  function reboot(): void {
    for (const name of readdirSync(store.layout.unproven)) writeFileSync(`${store.layout.unproven}/${name}`, 'earlier');
  }

  function someContent(): string {
    const [folder] = readdirSync(store.layout.files);
    return `${store.layout.files}/${folder!}/${readdirSync(`${store.layout.files}/${folder!}`)[0]!}`;
  }

  test('an image that survived is checked once and used', async () => {
    registry.addImage('app', '1', { layers: [base, upper] });
    await pull();
    reboot();
    expect((await pull('app:1', { policy: 'missing' })).outcome).toBe('present');
    expect(readdirSync(store.layout.unproven)).toEqual([]);
  });

  test('one that lost the end of a file is unpacked again from what is there', async () => {
    registry.addImage('app', '1', { layers: [base, upper] });
    const { image } = await pull();
    const content = someContent();
    const { size } = statSync(content);
    chmodSync(content, 0o600);
    truncateSync(content, size - 1);
    reboot();
    expect(resolveImage(store, image.id).isUnpacked).toBe(false);
    registry.log.length = 0;
    await pull('app:1', { policy: 'missing' });
    expect(resolveImage(store, image.id).isUnpacked).toBe(true);
    expect(statSync(content).size).toBe(size);
    expect(registry.log.filter((line) => line.includes('/blobs/'))).toHaveLength(1);
  });
});

test('a store whose index is damaged says so', async () => {
  registry.addImage('app', '1', { layers: [base] });
  await pull();
  writeFileSync(store.layout.index, '{"manifests": 5}');
  expect(() => listImages(store, fail)).toThrow('index is damaged');
  expect(existsSync(store.layout.index)).toBe(true);
});

test('a damaged image is left out of the list, told of, and mended by the next pull', async () => {
  const { configDigest } = registry.addImage('app', '1', { layers: [base] });
  await pull();
  const path = store.layout.blob(configDigest);
  writeFileSync(path, '{}');
  const problems: string[] = [];
  expect(listImages(store, ({ message }) => problems.push(message))).toEqual([]);
  expect(problems).toEqual([`${path} is damaged: its content is not ${configDigest}`]);
  expect((await pull('app:1', { policy: 'missing' })).image.id).toBe(configDigest);
});
