/** A registry of zstd:chunked images behind a slow line. */
import { existsSync, readdirSync, readFileSync, lstatSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { FakeRegistry } from '../../src/image/testing/fake-registry.ts';
import { chunkedLayer, type LazyFile } from '../../src/image/testing/lazy-layers.ts';

/** Files of a folder of the machine, up to a number of bytes. */
function filesOf(folder: string, limit: number): LazyFile[] {
  const files: LazyFile[] = [];
  let bytes = 0;
  const pending = [folder];
  for (let path = pending.pop(); path !== undefined && bytes < limit; path = pending.pop()) {
    files.push({ path });
    for (const name of readdirSync(join('/', path))) {
      const child = join(path, name);
      const stat = lstatSync(join('/', child));
      if (stat.isDirectory()) pending.push(child);
      else if (stat.isSymbolicLink()) files.push({ path: child, link: readlinkSync(join('/', child)) });
      else if (stat.isFile()) {
        files.push({ path: child, content: readFileSync(join('/', child)), mode: 0o644 });
        bytes += stat.size;
      }
    }
  }
  return files;
}

/** `lazy:1`, about a gigabyte with busybox in it. @param bytesPerSecond of all blobs together */
export async function startLazyRegistry(bytesPerSecond: number): Promise<FakeRegistry> {
  const registry = await FakeRegistry.start();
  const busybox = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path))!;
  const base: LazyFile[] = [
    { path: 'bin' },
    { path: 'bin/busybox', content: readFileSync(busybox) },
    { path: 'bin/sh', link: 'busybox' },
  ];
  const folders = ['usr/lib/gcc', 'usr/include', 'usr/lib/go-1.19', 'usr/lib/llvm-14', 'usr/lib/python3.11'];
  const sources = [base, ...folders.filter((path) => existsSync(join('/', path))).map((path) => filesOf(path, 220e6))];
  const layers = sources.map((files) => {
    const { bytes, mediaType, annotations, diffId } = chunkedLayer(files);
    return { diffId, descriptor: { mediaType, annotations, digest: registry.addBlob(bytes), size: bytes.length } };
  });
  registry.addImage('lazy', '1', {
    layers: [],
    config: { Cmd: ['sh'], Env: ['PATH=/bin'] },
    editConfig(config) {
      config['rootfs'] = { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) };
      config['history'] = [];
    },
    editManifest(manifest) {
      manifest['layers'] = layers.map(({ descriptor }) => descriptor);
    },
  });
  registry.slowTo(bytesPerSecond);
  return registry;
}
