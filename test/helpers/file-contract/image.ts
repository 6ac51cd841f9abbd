/** An image whose one layer has the lower trees of the file contract and of the file model, and how to run Python in a container that has none. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { output } from '../command.ts';
import { writeLayout } from '../oci-layout.ts';
import { Registry } from '../registry.ts';

const folder = import.meta.dirname;
const program = join(folder, 'contract.py');

export interface Promised {
  /** The function that tries it. */
  readonly name: string;
  readonly promise: string;
}

/** What the contract consists of, in the order in which it is tried. */
export function promises(): Promised[] {
  const sources = readdirSync(folder).filter((name) => name.endsWith('.py'));
  return sources.flatMap((source) => {
    const text = readFileSync(join(folder, source), 'utf8');
    return [...text.matchAll(/^@contract\('(.+)'\)\ndef (\w+)/gm)].map(([, promise, name]) => ({
      promise: promise!,
      name: name!,
    }));
  });
}

/** Makes the image in `scratch` and serves it; gives the registry and the reference. */
export async function serveContractImage(scratch: string): Promise<{ registry: Registry; reference: string }> {
  const lower = join(scratch, 'lower-tree');
  const tar = join(scratch, 'lower.tar');
  await output('python3', ['-B', program, 'fill', join(lower, 'lower')]);
  await output('tar', ['--owner=0', '--group=0', '--numeric-owner', '--sparse', '-C', lower, '-cf', tar, '.']);
  await writeLayout(join(scratch, 'layout'), { layers: [tar], config: {} });
  const registry = await Registry.start();
  await registry.push(join(scratch, 'layout'), 'library/contract:latest');
  return { registry, reference: registry.reference('library/contract:latest') };
}

/** Words for `run` and `create` before the image: Python of the host, the contract, and a folder to compare with. */
export function contractOptions(bare: string): string[] {
  const libraries = ['/usr', '/lib', '/lib64'].filter((path) => existsSync(path));
  const volumes = [
    ...libraries.map((path) => `${path}:${path}:ro`),
    `${folder}:/contract:ro`,
    `${join(folder, '../file-model')}:/model-program:ro`,
    `${bare}:/bare`,
  ];
  return volumes.flatMap((volume) => ['-v', volume]);
}

/** The command that tries the contract on `layer`; a second time it only describes the tree. */
export function contractCommand(layer: string): string[] {
  const lower = layer === 'bare' ? '/bare/lower' : '/lower';
  return ['/usr/bin/python3', '-B', '/contract/contract.py', 'try', lower, '/bare', layer];
}
