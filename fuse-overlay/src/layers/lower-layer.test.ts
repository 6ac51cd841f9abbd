import { openSync } from 'node:fs';
import { join } from 'node:path';
import { testLowerLayer } from '../../test/support/lower-layer-contract.ts';
import { packDirectory } from '../../test/support/pack-directory.ts';
import { DirectoryLayer } from './directory-layer.ts';
import { openImageTree } from './image-tree.ts';

testLowerLayer('directory', (source) => new DirectoryLayer(source));

testLowerLayer('image tree', (source, scratch) => {
  const { index, files } = packDirectory(source, join(scratch, 'packed'));
  return openImageTree(index, openSync(files, 'r'));
});
