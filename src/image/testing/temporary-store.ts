import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openImageStore, type ImageStore, type ImageStoreOptions } from '../image-store.ts';

/** A store of its own for a test, gone when it is disposed of. Impatient with registries. */
export function temporaryStore(options: ImageStoreOptions = {}): { store: ImageStore; root: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'trun-images-'));
  const root = join(folder, 'images');
  const registry = { retry: { attempts: 4, firstDelay: 5, longestDelay: 20 }, idleTimeout: 500 };
  const store = openImageStore(root, { registry, env: { HOME: folder }, ...options });
  return { store, root, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}
