/** A program for tests to kill: `node pull-program.ts STORE REFERENCE pull|remove` */
import { openImageStore } from '../image-store.ts';
import { pullImage } from '../pull.ts';
import { removeImage } from '../queries/remove-image.ts';

const [root, reference, action] = process.argv.slice(2) as [string, string, string];
const store = openImageStore(root);
if (action === 'pull') await pullImage(store, reference, { policy: 'always' });
else await removeImage(store, reference, { force: true, users: new Map() });
