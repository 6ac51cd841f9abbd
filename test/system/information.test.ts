/**
 * `trun version`, `info`, `doctor` and help.
 *
 * Runs as: user, nosub, root
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repository } from '../helpers/paths.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { Sandbox, allPrograms } from '../helpers/sandbox.ts';

const bed = useSandbox();

test('version', async () => {
  const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { version: string };
  expect(await bed.box.ok('--version')).toContain(version);
  expect(await bed.box.ok('version')).toContain(version);
});

test('info', async () => {
  const printed = await bed.box.ok('info');
  expect(printed).toContain(bed.box.root);
  expect(printed).toMatch(/containers/i);
});

test('doctor has a line for each thing that trun needs', async () => {
  const { stdout } = await bed.box.trun('doctor');
  for (const thing of [/user namespace/i, /\/dev\/fuse/, /\/dev\/net\/tun/, /user ids/i, /cgroup/i, /overlay/i]) {
    expect(stdout).toMatch(thing);
  }
  expect(stdout.trim().split('\n').length).toBeGreaterThanOrEqual(6);
});

test('reading commands start nothing', async () => {
  await using box = new Sandbox();
  for (const words of ['ps', 'images', 'volume ls', 'version', 'info']) await box.ok(words);
  expect(box.servers(...allPrograms)).toEqual([]);
});
