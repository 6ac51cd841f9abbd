import { join } from 'node:path';
import { LayerListWriter, layerEntry, mergeLayers } from '../../src/index.ts';

/** Writes the index of an image tree of about `count` entries, 30 to a directory, into `folder`; returns its path. */
export function makeLargeTree(count: number, folder: string): string {
  const writer = new LayerListWriter();
  for (let directory = 0; directory * 30 < count; directory++) {
    const parent = `usr/share/group${directory % 50}/package${directory}`;
    writer.add(layerEntry({ path: Buffer.from(parent), type: 'directory', mode: 0o755 }));
    for (let file = 0; file < 29; file++) {
      const path = Buffer.from(`${parent}/some-file-name-${file}.txt`);
      writer.add(layerEntry({ path, type: 'file', mode: 0o644, size: file, contentId: Buffer.alloc(32, directory) }));
    }
  }
  writer.commit(join(folder, 'list'));
  const index = join(folder, `index-${count}`);
  mergeLayers([join(folder, 'list')], index);
  return index;
}
