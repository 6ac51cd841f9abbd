/**
 * Where contents lie: one file for each content, named by its sha256, under a directory that holds nothing else:
 * `ab/cdef…` with the first byte of the id as folder. Files are never changed once they have their name; whoever adds one
 * writes it under a temporary name and links or renames it into place.
 */

/** Path of a content within the store, relative to its directory. */
export function contentPath(id: Uint8Array): string {
  const hex = Buffer.from(id.buffer, id.byteOffset, id.length).toString('hex');
  return `${hex.slice(0, 2)}/${hex.slice(2)}`;
}
