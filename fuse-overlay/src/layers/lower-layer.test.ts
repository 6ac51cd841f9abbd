import { mkdirSync, openSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { testLowerLayer } from '../../test/support/lower-layer-contract.ts';
import { packDirectory } from '../../test/support/pack-directory.ts';
import { DirectoryLayer } from './directory-layer.ts';
import { MergedLower } from '../overlay/merged-lower.ts';
import { openImageTree } from './image-tree.ts';

testLowerLayer('directory', (source) => new DirectoryLayer(source));

testLowerLayer('image tree', (source, scratch) => {
  const { index, files } = packDirectory(source, join(scratch, 'packed'));
  return openImageTree(index, openSync(files, 'r'));
});

// Halves of the same tree in two directories; a third one hides and opens nothing.
testLowerLayer('merged directories', (source, scratch) => {
  const [top, middle] = [join(scratch, 'top'), join(scratch, 'middle')];
  for (const each of [top, middle]) mkdirSync(each);
  renameSync(join(source, 'fifo'), join(top, 'fifo'));
  renameSync(join(source, 'empty'), join(middle, 'empty'));
  mkdirSync(join(middle, 'd'));
  renameSync(join(source, 'd/link'), join(middle, 'd/link'));
  writeFileSync(join(source, 'hidden'), '');
  writeFileSync(join(top, '.wh.hidden'), '');
  return new MergedLower([top, middle, source]);
});
