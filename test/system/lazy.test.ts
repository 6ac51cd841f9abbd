/**
 * `trun run --lazy`: a container starts while its image is still on the way.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FakeRegistry } from '../../src/image/testing/fake-registry.ts';
import { chunkedLayer, stargzLayer, type LazyFile, type LazyLayer } from '../../src/image/testing/lazy-layers.ts';
import { Sandbox } from '../helpers/sandbox.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { waitFor } from '../helpers/wait-for.ts';

const bed = useSandbox();

const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path));

function imageFiles(): LazyFile[] {
  return [
    { path: 'bin' },
    { path: 'bin/busybox', content: readFileSync(busybox!) },
    { path: 'bin/sh', link: 'busybox' },
    { path: 'etc' },
    {
      path: 'etc/passwd',
      content: Buffer.from('root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000::/:/bin/sh\n'),
      mode: 0o644,
    },
    { path: 'large', content: randomBytes(3_000_000) },
  ];
}

/** Whole blobs come only when `release` is called; ranges at once. */
async function slowRegistry(layer: LazyLayer): Promise<FakeRegistry & { release(): void }> {
  const registry = await FakeRegistry.start();
  registry.addImage('lazy', '1', {
    layers: [layer.tar],
    config: { Cmd: ['sh'], Env: ['PATH=/bin'] },
    editManifest(manifest) {
      const { bytes, mediaType, annotations } = layer;
      manifest['layers'] = [{ mediaType, annotations, digest: registry.addBlob(bytes), size: bytes.length }];
    },
  });
  const layerDigest = registry.addBlob(layer.bytes);
  const waiting: (() => void)[] = [];
  let isReleased = false;
  registry.onRequest = (request, response) => {
    const digest = /\/blobs\/(sha256:[0-9a-f]{64})$/.exec(request.url ?? '')?.[1];
    if (digest !== layerDigest || request.headers.range !== undefined || isReleased) return false;
    waiting.push(() => registry.serveBlob(request, response, layerDigest));
    return true;
  };
  return Object.assign(registry, {
    release: () => {
      isReleased = true;
      for (const answer of waiting) answer();
    },
  });
}

test.skipIf(busybox === undefined).each([
  ['zstd:chunked', chunkedLayer, 'auto'],
  ['eStargz', stargzLayer, 'fuse'],
])('%s: the program runs before the image is there, then the rest comes', async (_, build, writable) => {
  await using box = new Sandbox();
  const files = imageFiles();
  await using registry = await slowRegistry(build(files));
  const name = `${registry.host}/lazy:1`;
  const run = ['run', '--rm', '--lazy', '--storage-opt', `writable=${writable}`, '-u', 'guest', name];
  const { stdout, stderr, status } = await box.trun([...run, 'sh', '-c', 'echo early; busybox id -u'], {
    timeout: 60_000,
  });
  expect([stdout, status]).toEqual(['early\n1000\n', 0]);
  expect(stderr).toMatch(
    /^Lazy start: first output after [0-9.]+ s; [0-9]+ % of the image is local, the rest is being fetched$/m,
  );
  expect(await box.ok('images --format {{.Repository}}:{{.Tag}}')).toBe(name);
  // A file that nobody has read yet comes when it is; nothing waits for the rest.
  expect(await box.ok([...run, 'busybox', 'md5sum', '/large'], { timeout: 60_000 })).toMatch(/^[0-9a-f]{32} /);
  registry.release();
  await waitFor(
    'everything to be local',
    async () => (await box.trun([...run, 'busybox', 'true'])).stderr.includes('everything local after'),
    {
      timeout: 60_000,
      interval: 300,
    },
  );
  expect(await box.ok(['image', 'verify'])).toBe(`${name}: ok`);
});

test.skipIf(busybox === undefined)(
  'the configuration makes it the rule; a killed fetcher is replaced at the next start',
  async () => {
    await using box = new Sandbox();
    await using registry = await slowRegistry(chunkedLayer(imageFiles()));
    const name = `${registry.host}/lazy:1`;
    await box.ok('images');
    await writeFile(join(box.root, 'config.json'), '{"pull": "lazy"}');
    expect(await box.ok(['run', '--rm', name, 'sh', '-c', 'echo early'], { timeout: 60_000 })).toBe('early');
    for (const { pid, command } of box.processes()) if (command.includes('trun-lazy')) process.kill(pid, 'SIGKILL');
    registry.release();
    expect(await box.ok(['run', '--rm', name, 'busybox', 'md5sum', '/large'], { timeout: 60_000 })).toMatch(
      /^[0-9a-f]{32} /,
    );
    await waitFor('everything to be local', async () => (await box.ok(['image', 'verify'])).endsWith(': ok'), {
      timeout: 60_000,
      interval: 300,
    });
  },
);

test('an image without tables of contents is pulled whole, and that is said', async () => {
  await using registry = await FakeRegistry.start();
  registry.addImage('plain', '1', { layers: [chunkedLayer([{ path: 'a', content: Buffer.from('x') }]).tar] });
  const { stderr } = await bed.box.trun(['create', '--lazy', `${registry.host}/plain:1`, 'x']);
  expect(stderr).toMatch(/has layers without a table of contents .*: it is pulled whole/);
});
