/** A program for tests to kill: `node registry-pull-program.ts STORE REFERENCE pull|remove` */
import { ImageError } from '../../src/image/image-error.ts';
import { openImageStore } from '../../src/image/image-store.ts';
import { pullImage } from '../../src/image/pull.ts';
import { removeImage } from '../../src/image/queries/remove-image.ts';

const [root, reference, action] = process.argv.slice(2) as [string, string, string];
const store = openImageStore(root);
if (action === 'pull') await pullImage(store, reference, { policy: 'always' });
else await removeImage(store, reference, { force: true, users: new Map() }).catch(expectNotFound);

/** Another program may have removed it, or never come to pull it. */
function expectNotFound(error: unknown): void {
  if (!(error instanceof ImageError) || error.code !== 'NOT_FOUND') throw error;
}
