/**
 * Builds for another architecture, by qemu-user and a binfmt_misc of the user's own.
 *
 * Runs as: user
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeContext } from '../helpers/build-context.ts';
import { output, run } from '../helpers/command.ts';
import { account, Registry } from '../helpers/registry.ts';
import { Sandbox } from '../helpers/sandbox.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ images: ['busybox'] });

test('two platforms at once, each with its own program', async ({ skip }) => {
  const { box } = bed;
  if (process.arch !== 'x64') return skip('the other architecture is arm64');
  if (!existsSync('/usr/bin/qemu-aarch64-static')) return skip('qemu-aarch64-static is not installed');
  const context = makeContext(box.folder, {
    'program.c': '#include <stdio.h>\nint main(void) { puts(sizeof(void *) == 8 ? ARCH : "?"); return 0; }\n',
    Dockerfile: [
      `FROM --platform=$BUILDPLATFORM ${bed.image('busybox')} AS note`,
      'ARG TARGETARCH BUILDARCH',
      'RUN echo "$BUILDARCH for $TARGETARCH" > /note',
      'FROM scratch',
      'ARG TARGETARCH',
      'COPY program-$TARGETARCH /program',
      'COPY --from=note /note /note',
      'RUN ["/program"]',
      'CMD ["/program"]',
    ].join('\n'),
  });
  for (const [arch, compiler] of [
    ['amd64', 'gcc'],
    ['arm64', 'aarch64-linux-gnu-gcc'],
  ] as const) {
    const words = ['-static', `-DARCH="${arch}"`, '-o', join(context, `program-${arch}`), join(context, 'program.c')];
    const made = await run(compiler, words).catch(() => undefined);
    if (made?.status !== 0) return skip(`${compiler} is not installed`);
  }
  const archive = join(box.folder, 'two.tar');
  const built = await box.trun([
    ...['build', '--progress=plain', '--platform', 'linux/amd64,linux/arm64', '-t', 'two:1'],
    ...['-o', `type=oci,dest=${archive}`, '-o', 'type=image', context],
  ]);
  if (built.stderr.includes('needs Linux 6.7')) return skip('no binfmt_misc in user namespaces');
  expect(built.stderr).toMatch(/^#\d+ \d+\.\d+ arm64$/m);
  expect(built.stderr).toMatch(/^#\d+ \d+\.\d+ amd64$/m);
  expect(built.status).toBe(0);
  expect(await box.ok('run --rm two:1')).toBe('amd64');
  expect(await box.ok('run --rm two:1-linux_arm64')).toBe('arm64');

  const index = JSON.parse(await output('skopeo', ['inspect', '--raw', `oci-archive:${archive}`])) as {
    manifests: { platform: { architecture: string } }[];
  };
  expect(index.manifests.map(({ platform }) => platform.architecture)).toEqual(['amd64', 'arm64']);

  // The same as an index in a registry: each platform pulls its own.
  await using registry = await Registry.start();
  const target = registry.reference('two:1');
  await box.ok(['build', '-q', '--platform', 'linux/amd64,linux/arm64', '-t', target, '--push', context]);
  const inspect = ['inspect', '--raw', '--tls-verify=false', '--creds', `${account.name}:${account.password}`];
  const pushed = JSON.parse(await output('skopeo', [...inspect, `docker://${target}`])) as typeof index;
  expect(pushed.manifests.map(({ platform }) => platform.architecture)).toEqual(['amd64', 'arm64']);
  await using other = new Sandbox();
  expect(await other.ok(['run', '--rm', target])).toBe('amd64');
  expect(await other.ok(['run', '--rm', '--platform', 'linux/arm64', target])).toBe('arm64');

  // Nothing of the machine's own has been touched.
  const registered = '/proc/sys/fs/binfmt_misc/qemu-aarch64';
  if (existsSync(registered)) expect(readFileSync(registered, 'utf8')).not.toContain(box.folder);
});
