import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { contentPath, readLayerList } from 'fuse-overlay';
import { digestHex } from '../digest.ts';
import { hasBlob } from '../layer/stored-layer.ts';
import type { StoreLayout } from '../store/layout.ts';
import { readImageRecord } from '../store/image-record.ts';
import { readIndex } from '../store/index-file.ts';

const digestName = /^[0-9a-f]{64}$/;

/**
 * Reads a whole store and returns what is wrong with it: whatever has its final name has to be what that name says, and an
 * image in the index has to be complete. Files under temporary names and unreferenced ones are no fault.
 */
export function verifyStore(layout: StoreLayout): string[] {
  const faults: string[] = [];
  for (const name of readdirSync(layout.blobs)) {
    if (digestName.test(name) && hashOf(join(layout.blobs, name)) !== name) faults.push(`blob ${name} is damaged`);
  }
  for (const folder of readdirSync(layout.files)) {
    for (const name of readdirSync(join(layout.files, folder))) {
      if (hashOf(join(layout.files, folder, name)) !== folder + name)
        faults.push(`content ${folder}${name} is damaged`);
    }
  }
  for (const name of readdirSync(layout.layers)) {
    if (digestName.test(name)) faults.push(...missingContents(layout, name));
  }
  for (const { digest } of readIndex(layout)) {
    const { manifest, config } = readImageRecord(layout, digest);
    if (!existsSync(layout.tree(digest))) faults.push(`image ${digest} has no tree`);
    for (const layer of manifest.layers) {
      if (!hasBlob(layout, layer)) faults.push(`image ${digest} lacks blob ${layer.digest}`);
    }
    for (const diffId of config.diffIds) {
      if (!existsSync(layout.layerList(diffId))) faults.push(`image ${digest} lacks layer ${digestHex(diffId)}`);
    }
  }
  return faults;
}

function missingContents(layout: StoreLayout, layer: string): string[] {
  const faults: string[] = [];
  for (const { path, contentId, size } of readLayerList(join(layout.layers, layer))) {
    if (!contentId) continue;
    const content = statSync(join(layout.files, contentPath(contentId)), { throwIfNoEntry: false });
    if (content?.size !== size) faults.push(`layer ${layer} lacks the content of ${path.toString()}`);
  }
  return faults;
}

function hashOf(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}
