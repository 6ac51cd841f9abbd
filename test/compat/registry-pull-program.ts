/** A program for tests to kill: `node registry-pull-program.ts STORE REFERENCE pull|remove|prune|load`; loads an archive from stdin. */
import { ImageError } from '../../src/image/image-error.ts';
import { loadImages } from '../../src/image/archive/load-images.ts';
import { openImageStore } from '../../src/image/image-store.ts';
import { pullImage } from '../../src/image/pull.ts';
import { pruneImages } from '../../src/image/queries/prune-images.ts';
import { removeImage } from '../../src/image/queries/remove-image.ts';

const [root, reference, action] = process.argv.slice(2) as [string, string, string];
const store = openImageStore(root);
if (action === 'pull') await pullImage(store, reference, { policy: 'always' });
else if (action === 'prune') await pruneImages(store, { users: new Map(), all: true, passes: () => true });
else if (action === 'load') await loadImages(store, process.stdin, 'standard input');
else await removeImage(store, reference, { force: true, users: new Map() }).catch(expectNotFound);

/** Another program may have removed it, or never come to pull it. */
function expectNotFound(error: unknown): void {
  if (!(error instanceof ImageError) || error.code !== 'NOT_FOUND') throw error;
}
