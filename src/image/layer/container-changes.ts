import type { LayerExport } from 'fuse-overlay';

/** As `docker diff` tells it: Added, Changed, Deleted. */
export interface ContainerChange {
  readonly kind: 'A' | 'C' | 'D';
  /** Bytes, from `/` on. */
  readonly path: Buffer;
}

const kinds = { added: 'A', modified: 'C', deleted: 'D' } as const;

/** What a layer's entries say of a container, in the order of paths. The root itself is not told, as Docker does not. */
export function containerChanges(entries: Iterable<Pick<LayerExport, 'change' | 'entry'>>): ContainerChange[] {
  const changes = new Map<string, ContainerChange['kind']>();
  for (const { change, entry } of entries) {
    if (entry.path.length > 0 && entry.type !== 'opaque')
      changes.set(`/${entry.path.toString('latin1')}`, kinds[change]);
  }
  return [...changes]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, kind]) => ({ kind, path: Buffer.from(path, 'latin1') }));
}
