/**
 * `trun bundle`: an image as an OCI bundle, which a runtime can start.
 *
 * Runs as: user, nosub, root
 */
import { lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../helpers/command.ts';
import { ociLauncher } from '../helpers/oci-bundle.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ images: ['busybox'] });

test('an image becomes a bundle that runs', async () => {
  const { box } = bed;
  const bundle = join(box.folder, 'bundle');
  await box.ok(['bundle', bed.image('busybox'), bundle, 'sh', '-c', 'id -u; echo $PATH | head -c 5; exit 4']);
  expect(lstatSync(join(bundle, 'rootfs/bin/busybox')).isFile()).toBe(true);
  expect(JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'))).toMatchObject({
    ociVersion: '1.0.2',
    root: { path: 'rootfs' },
  });
  const { status, stdout } = await run(ociLauncher, [
    '--root',
    join(box.folder, 'oci'),
    'run',
    '-b',
    bundle,
    'bundled',
  ]);
  expect({ status, stdout }).toEqual({ status: 4, stdout: '0\n/usr/' });
});

test('a folder with something in it is left alone', async () => {
  const { status, stderr } = await bed.box.trun(['bundle', bed.image('busybox'), bed.box.home]);
  const again = await bed.box.trun(['bundle', bed.image('busybox'), bed.box.home]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  expect(again.status).not.toBe(0);
  expect(again.stderr).toContain('it is not empty');
  expect(readlinkSync(join(bed.box.home, 'rootfs/bin/sh'))).toBeTruthy();
});
