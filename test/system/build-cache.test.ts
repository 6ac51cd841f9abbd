/**
 * What builds give to other machines: caches in folders and images, pushed images, attestations.
 *
 * Runs as: user
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeContext } from '../helpers/build-context.ts';
import { output } from '../helpers/command.ts';
import { Registry } from '../helpers/registry.ts';
import { Sandbox } from '../helpers/sandbox.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ images: ['busybox'] });

function context(): string {
  return makeContext(bed.box.folder, {
    file: 'x',
    Dockerfile: [
      `FROM ${bed.image('busybox')} AS make`,
      'RUN cat /proc/sys/kernel/random/uuid > /made',
      `FROM ${bed.image('busybox')}`,
      'COPY --from=make /made /made',
      'RUN cat /made > /seen',
      'WORKDIR /w',
      'COPY file .',
    ].join('\n'),
  });
}

test('a cache in a folder', async () => {
  const cache = join(bed.box.folder, 'cache');
  const where = context();
  await bed.box.ok(['build', '-q', '-t', 'first', '--cache-to', `type=local,dest=${cache}`, where]);
  const made = await bed.box.ok('run --rm first cat /seen');

  await using other = new Sandbox();
  const { stderr } = await other.trun([
    'build',
    '--progress=plain',
    '-t',
    'second',
    '--cache-from',
    `type=local,src=${cache}`,
    where,
  ]);
  expect(stderr).toContain('5 steps');
  expect(stderr).not.toMatch(/^#\d+ \d+\.\d{3} /m);
  expect(await other.ok('run --rm second cat /seen')).toBe(made);

  const missing = await other.trun(['build', '--progress=plain', '--cache-from', 'type=local,src=/no/such', where]);
  expect([missing.status, missing.stderr]).toEqual([0, expect.stringContaining('WARNING: could not read /no/such')]);
});

test('a pushed image that carries its steps', async () => {
  await using registry = await Registry.start();
  const name = `localhost:${registry.port}/app:1`;
  const where = makeContext(bed.box.folder, {
    Dockerfile: `FROM ${bed.image('busybox')}\nRUN cat /proc/sys/kernel/random/uuid > /made`,
  });
  await bed.box.ok(['build', '-q', '-t', name, '--push', '--cache-to', 'type=inline', where]);
  const made = await bed.box.ok(['run', '--rm', name, 'cat', '/made']);

  await using other = new Sandbox();
  await other.ok(['build', '-q', '-t', 'again', '--cache-from', name, where]);
  expect(await other.ok('run --rm again cat /made')).toBe(made);
  expect(JSON.parse(await output('skopeo', ['inspect', '--tls-verify=false', `docker://${name}`]))).toMatchObject({
    Os: 'linux',
  });
});

test('attestations', async () => {
  const archive = join(bed.box.folder, 'attested.tar');
  const folder = join(bed.box.folder, 'attested');
  const words = ['--provenance=true', '--sbom=true', '--build-arg', 'TOKEN=secret', '-o', `type=oci,dest=${archive}`];
  await bed.box.ok(['build', '-q', ...words, context()]);
  await output('mkdir', [folder]);
  await output('tar', ['-C', folder, '-xf', archive]);
  function document(digest: string): Record<string, unknown> {
    return JSON.parse(readFileSync(join(folder, 'blobs', digest.replace(':', '/')), 'utf8')) as Record<string, unknown>;
  }
  interface Descriptor {
    readonly digest: string;
    readonly annotations?: Record<string, string>;
  }
  const top = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as { manifests: Descriptor[] };
  const index = document(top.manifests[0]!.digest) as unknown as { manifests: Descriptor[] };
  const [image, attestation] = index.manifests;
  expect(attestation!.annotations).toEqual({
    'vnd.docker.reference.digest': image!.digest,
    'vnd.docker.reference.type': 'attestation-manifest',
  });
  const { layers } = document(attestation!.digest) as unknown as { layers: Descriptor[] };
  const statements = layers.map(({ digest }) => document(digest));
  expect(statements.map(({ predicateType }) => predicateType)).toEqual([
    'https://spdx.dev/Document',
    'https://slsa.dev/provenance/v0.2',
  ]);
  expect(JSON.stringify(statements[1])).toContain('library/busybox');
  expect(JSON.stringify(statements)).not.toContain('secret');

  await using registry = await Registry.start();
  const name = registry.reference('attested:1');
  await bed.box.ok(['build', '-q', '--provenance=true', '-t', name, '--push', context()]);
  const raw = await output('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${name}`]);
  const pushed = JSON.parse(raw) as { manifests: Descriptor[] };
  expect(pushed.manifests[1]!.annotations!['vnd.docker.reference.digest']).toBe(pushed.manifests[0]!.digest);
  await using other = new Sandbox();
  await other.ok(['pull', '-q', name]);
});
