/**
 * Our pulls and our store beside the programs that everybody uses: Debian's docker-registry serves, skopeo fills it and reads
 * what we keep.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { digestOf } from '../../src/image/digest.ts';
import { openImageStore, type ImageStore } from '../../src/image/image-store.ts';
import { pullImage } from '../../src/image/pull.ts';
import { inspectImage } from '../../src/image/queries/inspect-image.ts';
import { resolveImage } from '../../src/image/queries/list-images.ts';
import { buildTar } from '../../src/image/testing/tar-builder.ts';
import { verifyStore } from '../../src/image/testing/verify-store.ts';
import { output, run } from '../helpers/command.ts';
import { imageReference, startImageRegistry, type ImageName } from '../helpers/images.ts';
import { Registry, account } from '../helpers/registry.ts';
import { unmet } from '../helpers/requirements.ts';

const images = ['busybox', 'features', 'platforms'] as const satisfies readonly ImageName[];
const needs = ['docker-registry', 'skopeo', 'busybox'] as const;

let folder: string;
let registry: Registry | undefined;
let store: ImageStore;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'trun-registry-'));
  store = openImageStore(join(folder, 'images'), { env: { HOME: folder } });
  if ((await unmet(needs)) === undefined) registry = await startImageRegistry(images);
});

beforeEach(async ({ skip }) => {
  const reason = await unmet(needs);
  if (reason !== undefined) skip(reason);
});

afterAll(async () => {
  await registry?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

interface SkopeoInspection {
  readonly Digest: string;
  readonly Layers: readonly string[];
  readonly Env: readonly string[];
}

async function skopeoInspect(reference: string): Promise<SkopeoInspection> {
  return JSON.parse(await output('skopeo', ['inspect', '--tls-verify=false', reference])) as SkopeoInspection;
}

/** A name as our store keeps it, for skopeo's `oci:` transport. */
function inStore(name: string): string {
  return `oci:${store.layout.root}:${name}`;
}

describe('images that skopeo pushed', () => {
  test.each(images)('%s is pulled with the digest that skopeo sees', async (name) => {
    const reference = imageReference(registry!, name);
    const { image, digest, outcome } = await pullImage(store, reference, { policy: 'always' });
    expect(outcome).toBe('pulled');
    expect(digest).toBe((await skopeoInspect(`docker://${reference}`)).Digest);
    expect(image.isUnpacked).toBe(true);
    expect(verifyStore(store.layout)).toEqual([]);
    expect((await pullImage(store, reference, { policy: 'always' })).outcome).toBe('current');
  });

  test('the configuration is as the image has it', async () => {
    const reference = imageReference(registry!, 'features');
    await pullImage(store, reference, { policy: 'missing' });
    expect(resolveImage(store, reference).config.config).toMatchObject({
      User: 'guest:staff',
      ExposedPorts: ['8080/tcp'],
      Entrypoint: ['/entry'],
      Volumes: ['/data/volume'],
      StopSignal: 'SIGINT',
    });
    expect(inspectImage(store, reference)).toMatchObject({ Os: 'linux', Config: { WorkingDir: '/work' } });
  });

  test('of several platforms the asked one', async () => {
    const reference = imageReference(registry!, 'platforms');
    const architectures = ['amd64', 'arm64'].map(async (architecture) => {
      const { image } = await pullImage(store, reference, { policy: 'always', platform: `linux/${architecture}` });
      return [image.config.platform.architecture, image.config.config.Labels?.['variant']];
    });
    expect(await Promise.all(architectures)).toEqual([
      ['amd64', 'amd64'],
      ['arm64', 'arm64'],
    ]);
    const arm = await pullImage(store, reference, { policy: 'always', platform: 'linux/arm64' });
    expect(arm.image.config.config.Labels).toEqual({ variant: 'arm64' });
  });
});

describe('our store', () => {
  test('is an OCI layout that skopeo reads, digests and all', async () => {
    const reference = imageReference(registry!, 'features');
    await pullImage(store, reference, { policy: 'always' });
    const [ours, theirs] = await Promise.all([
      skopeoInspect(inStore(reference)),
      skopeoInspect(`docker://${reference}`),
    ]);
    expect([ours.Digest, ours.Layers, ours.Env]).toEqual([theirs.Digest, theirs.Layers, theirs.Env]);

    const copy = join(folder, 'copy');
    await output('skopeo', [
      '--insecure-policy',
      'copy',
      '--quiet',
      '--preserve-digests',
      inStore(reference),
      `dir:${copy}`,
    ]);
    expect(digestOf(readFileSync(join(copy, 'manifest.json')))).toBe(theirs.Digest);
  });

  test('pushed elsewhere by skopeo and pulled again is the same image', async () => {
    await using other = await Registry.start();
    const reference = imageReference(registry!, 'busybox');
    const { image } = await pullImage(store, reference, { policy: 'always' });
    const target = other.reference('copied/busybox:1');
    const flags = ['--insecure-policy', 'copy', '--quiet', '--preserve-digests', '--dest-tls-verify=false'];
    await output('skopeo', [...flags, inStore(reference), `docker://${target}`]);
    const again = await pullImage(store, target, { policy: 'always' });
    expect([again.image.id, again.image.manifestDigest]).toEqual([image.id, image.manifestDigest]);
    expect(again.image.repoTags).toContain(target);
  });
});

test.each(['gzip', 'zstd'])('layers that skopeo packs with %s', async (format) => {
  await using other = await Registry.start();
  const target = other.reference(`packed/${format}:1`);
  const source = imageReference(registry!, 'busybox');
  const flags = ['--insecure-policy', 'copy', '--quiet', '--format', 'oci', '--dest-compress-format', format];
  const tls = ['--src-tls-verify=false', '--dest-tls-verify=false'];
  await output('skopeo', [...flags, ...tls, '--dest-compress', `docker://${source}`, `docker://${target}`]);
  const packed = await pullImage(store, target, { policy: 'always' });
  const { image } = await pullImage(store, source, { policy: 'missing' });
  expect(packed.image.config.diffIds).toEqual(image.config.diffIds);
  expect(verifyStore(store.layout)).toEqual([]);
});

test('a registry that asks for a password', async () => {
  await using guarded = await Registry.start({ authentication: true });
  const reference = guarded.reference('private/app:1');
  await expect(pullImage(store, reference, { policy: 'always' })).rejects.toMatchObject({ code: 'UNAUTHORIZED' });
  const auth = Buffer.from(`${account.name}:${account.password}`).toString('base64');
  mkdirSync(join(folder, '.docker'), { recursive: true });
  writeFileSync(
    join(folder, '.docker/config.json'),
    JSON.stringify({ auths: { [`localhost:${guarded.port}`]: { auth } } }),
  );
  await expect(pullImage(store, reference, { policy: 'always' })).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringContaining(`manifest for ${reference} not found: manifest unknown`) as string,
  });
  const layout = join(folder, 'layout');
  writeLayout(layout, buildTar([{ path: 'hello', content: 'hello' }]));
  await guarded.push(layout, 'private/app:1');
  expect((await pullImage(store, reference, { policy: 'always' })).image.size).toBe(5);
});

test('a full disk leaves no image and one clear line, and with room the pull goes on', async ({ skip }) => {
  const reason = await unmet(['user-namespaces']);
  if (reason !== undefined) skip(reason);
  await using other = await Registry.start();
  const random = Buffer.concat(
    Array.from({ length: 60_000 }, (_, index) => Buffer.from(digestOf(String(index)).slice(7), 'hex')),
  );
  const layout = join(folder, 'large');
  writeLayout(
    layout,
    buildTar(
      [1, 2, 3, 4, 5].map((part) => ({ path: `part${part}`, content: Buffer.concat([random, Buffer.from([part])]) })),
    ),
  );
  await other.push(layout, 'large:1');
  const program = join(import.meta.dirname, 'registry-pull-program.ts');
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  const reference = other.reference('large:1');
  // The blob fits, its contents do not; then the disk gets room.
  const script = [
    'mount -t tmpfs -o size=40m none "$1"',
    'dd if=/dev/zero of="$1/filler" bs=1M count=26 status=none',
    'pull() { "$2" --conditions=source --no-warnings "$3" "$1/images" "$4" pull; }',
    'pull "$@" && exit 3',
    'find "$1/images/files" "$1/images/layers" "$1/images/trees" -type f | grep . && exit 4',
    'grep -q localhost "$1/images/index.json" 2>/dev/null && exit 5',
    'find "$1/images/partial" -type f -size +1000k | grep . || exit 6',
    'rm "$1/filler"',
    'pull "$@" || exit 7',
    'grep -q localhost "$1/images/index.json" || exit 8',
    // To the last byte, and still an image can be removed.
    'cat /dev/zero > "$1/filler" 2>/dev/null; echo x > "$1/more" 2>/dev/null && [ -s "$1/more" ] && exit 9',
    '"$2" --conditions=source --no-warnings "$3" "$1/images" "$4" remove || exit 10',
    '! grep -q localhost "$1/images/index.json"',
  ].join('\n');
  const { status, stderr, stdout } = await run('unshare', [
    ...['--user', '--map-root-user', '--mount', 'sh', '-c', script, 'sh'],
    ...[disk, process.execPath, program, reference],
  ]);
  expect(status === 0 ? '' : `${status}: ${stdout}${stderr}`).toBe('');
  expect(stderr).toContain(
    'no space left on device (ENOSPC); free some space and pull again, it goes on from what is there',
  );
});

/** The smallest OCI layout: one layer, tag `latest`. */
function writeLayout(path: string, tar: Buffer): void {
  const blobs = join(path, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  function add(content: Buffer, mediaType: string): { mediaType: string; digest: string; size: number } {
    const digest = digestOf(content);
    writeFileSync(join(blobs, digest.slice('sha256:'.length)), content);
    return { mediaType, digest, size: content.length };
  }
  const layer = add(gzipSync(tar), 'application/vnd.oci.image.layer.v1.tar+gzip');
  const rootfs = { type: 'layers', diff_ids: [digestOf(tar)] };
  const config = add(
    Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', config: {}, rootfs })),
    'application/vnd.oci.image.config.v1+json',
  );
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = add(
    Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers: [layer] })),
    mediaType,
  );
  const annotations = { 'org.opencontainers.image.ref.name': 'latest' };
  writeFileSync(join(path, 'oci-layout'), JSON.stringify({ imageLayoutVersion: '1.0.0' }));
  writeFileSync(
    join(path, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
}
