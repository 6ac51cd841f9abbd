/**
 * Images of other architectures, run without a build before: by qemu-user and a binfmt_misc of the user's own.
 *
 * Runs as: user
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeContext } from '../helpers/build-context.ts';
import { run } from '../helpers/command.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox();

const SOURCE = '#include <stdio.h>\nint main(void) { puts(ARCH); return 0; }\n';

/** Builds images of the program for an architecture, whose configs name the given ones. Says what is missing. */
async function make(arch: string, compiler: string, platforms: readonly string[]): Promise<string | undefined> {
  const { box } = bed;
  const context = makeContext(box.folder, {
    'program.c': SOURCE,
    Dockerfile: 'FROM scratch\nCOPY program /program\nCMD ["/program"]\n',
  });
  const words = ['-static', `-DARCH="${arch}"`, '-o', join(context, 'program'), join(context, 'program.c')];
  const made = await run(compiler, words).catch(() => undefined);
  if (made?.status !== 0) return `${compiler} is not installed`;
  for (const platform of platforms) {
    await box.ok(['build', '-q', '--platform', `linux/${platform}`, '-t', `${arch}-as-${platform}`, context]);
  }
  return undefined;
}

test('an image for arm64 runs', async ({ skip }) => {
  const { box } = bed;
  if (process.arch !== 'x64') return skip('the other architecture is arm64');
  if (!existsSync('/usr/bin/qemu-aarch64-static')) return skip('qemu-aarch64-static is not installed');
  const missing = await make('arm64', 'aarch64-linux-gnu-gcc', ['mips64', 'arm64']);
  if (missing !== undefined) return skip(missing);

  // Its platform has no emulator, and its program is for none that is there: the error says both.
  const refused = await box.trun('run --rm arm64-as-mips64');
  expect(refused.status).toBe(126);
  expect(refused.stderr).toContain('exec format error: There is no emulator for programs of mips64');

  const first = await box.trun('run --rm --platform linux/arm64 arm64-as-arm64');
  if (first.stderr.includes('needs Linux 6.7')) return skip('no binfmt_misc in user namespaces');
  expect(first).toMatchObject({ status: 0, stdout: 'arm64\n', stderr: '' });
  expect(await box.ok('run --rm arm64-as-arm64')).toBe('arm64');
});

test('an image for this machine runs, whatever its config says, with a warning', async ({ skip }) => {
  const missing = await make('own', 'gcc', ['mips64']);
  if (missing !== undefined) return skip(missing);
  expect(await bed.box.trun('run --rm own-as-mips64')).toMatchObject({
    status: 0,
    stdout: 'own\n',
    stderr: 'trun: WARNING: There is no emulator for programs of mips64\n',
  });
});
