/**
 * Contents of images that are not there yet, and how one asks for them: an empty file for each in `wanted/`, beside the folder of
 * contents; whoever fetches the image sees it. The image room's lazy-image.ts has the other side.
 */
import { closeSync, openSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Milliseconds after which a content that does not come is an input/output error. */
const PATIENCE = 120_000;

/**
 * Asks for a content and says whether to wait for it: false where no image is being fetched, or patience is at its end.
 * @param files the folder of contents
 */
export function contentAsker(files: string): (id: Uint8Array) => boolean {
  const store = dirname(files);
  const asked = new Map<string, number>();
  return (id) => {
    const hex = Buffer.from(id.buffer, id.byteOffset, id.length).toString('hex');
    const since = asked.get(hex);
    if (since !== undefined) {
      if (Date.now() - since < PATIENCE) return true;
      asked.delete(hex);
      return false;
    }
    if (!isAnyFetched(store)) return false;
    try {
      closeSync(openSync(join(store, 'wanted', hex), 'a', 0o600));
    } catch {
      return false;
    }
    asked.set(hex, Date.now());
    return true;
  };
}

function isAnyFetched(store: string): boolean {
  try {
    return readdirSync(join(store, 'lazy')).some((name) => !name.includes('.'));
  } catch {
    return false;
  }
}
