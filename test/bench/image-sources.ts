/** Images for the bench, of what this machine has under /usr: real files in realistic numbers and sizes. */
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { output } from '../helpers/command.ts';
import { writeLayout } from '../helpers/oci-layout.ts';
import type { Registry } from '../helpers/registry.ts';

const steady = ['--owner=0', '--group=0', '--numeric-owner', '--sort=name', '--hard-dereference'];

/** A tar file of folders of the machine; those that are missing are left out. @param date of all files */
export async function packFolders(tar: string, folders: readonly string[], date: string): Promise<string> {
  const present = folders.filter((folder) => existsSync(join('/', folder)));
  if (present.length === 0) throw new Error(`This machine has none of ${folders.join(', ')}`);
  await output('tar', [...steady, `--mtime=${date}`, '-C', '/', '-cf', tar, ...present], { timeout: 600_000 });
  return tar;
}

/** Makes an image of tar files and pushes it. */
export async function pushImage(
  registry: Registry,
  folder: string,
  name: string,
  layers: readonly string[],
): Promise<void> {
  const layout = join(folder, 'layout');
  await mkdir(layout, { recursive: true });
  await writeLayout(layout, { layers, config: { Cmd: ['true'], Env: ['PATH=/usr/bin:/bin'] } });
  await registry.push(layout, name);
  await rm(layout, { recursive: true });
}

const toolchain = ['usr/lib/gcc', 'usr/include'];

/**
 * Five related images: a base, three stacks that each installed the same toolchain and a language of their own, at different
 * times, and an app on one of them.
 */
export async function pushRelated(registry: Registry, folder: string, base: string): Promise<string[]> {
  const stacks = {
    python: ['usr/lib/python3.11', 'usr/lib/python3'],
    perl: ['usr/share/perl'],
    docs: ['usr/share/doc'],
  };
  await pushImage(registry, folder, 'related/base:1', [base]);
  const names = ['related/base:1'];
  let top = '';
  for (const [index, [name, folders]] of Object.entries(stacks).entries()) {
    const date = `2024-01-0${index + 1} 00:00Z`;
    const layer = await packFolders(join(folder, `${name}.tar`), [...toolchain, ...folders], date);
    if (name === 'python') top = layer;
    await pushImage(registry, folder, `related/${name}:1`, [base, layer]);
    names.push(`related/${name}:1`);
  }
  const app = await packFolders(join(folder, 'app.tar'), ['usr/share/perl5'], '2024-02-01 00:00Z');
  await pushImage(registry, folder, 'related/app:1', [base, top, app]);
  return [...names, 'related/app:1'];
}

/** Ten layers of together about a gigabyte. */
export async function pushLarge(registry: Registry, folder: string): Promise<string> {
  const go = ['src', 'pkg', 'misc', 'test', 'api'].map((name) => `usr/lib/go-1.19/${name}`);
  const folders = [
    ...toolchain,
    ...go,
    'usr/lib/llvm-14',
    'usr/lib/python3',
    'usr/lib/python3.11',
    'usr/share/doc',
    'usr/share/perl',
  ];
  const layers: string[] = [];
  for (const each of folders.filter((path) => existsSync(join('/', path))).slice(0, 10)) {
    layers.push(await packFolders(join(folder, `${each.replaceAll('/', '-')}.tar`), [each], '2024-01-01 00:00Z'));
  }
  await pushImage(registry, folder, 'large:1', layers);
  return 'large:1';
}
