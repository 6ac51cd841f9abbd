/**
 * Entry of the process that brings the rest of a lazy image (fetcher.ts).
 *
 * argv: the image store's folder, and a manifest digest. Fd 3: the lock, held for life.
 */
import { parseDigest } from '../digest.ts';
import { openImageStore } from '../image-store.ts';
import { fetchRest } from './fetcher.ts';

const [root, manifest] = process.argv.slice(2);
process.title = `trun-lazy ${root}`;

fetchRest(openImageStore(root!), parseDigest(manifest, 'the image')).catch((error: unknown) => {
  process.stderr.write(`${new Date().toISOString()} ${(error as Error).message}\n`);
  process.exitCode = 1;
});
