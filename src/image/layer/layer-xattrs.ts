import type { LayerEntry, Xattr } from 'fuse-overlay';

/**
 * Whether an extended attribute belongs into an image. `user.overlay.*` would talk to the overlayfs on top of us (redirects,
 * opaque marks), `trusted.*` and other `security.*` belong to the host.
 */
export function isLayerXattr(name: string): boolean {
  return name === 'security.capability' || (name.startsWith('user.') && !name.startsWith('user.overlay.'));
}

/** The entry with those attributes alone. */
export function layerXattrs(entry: LayerEntry): LayerEntry {
  if (entry.xattrs.length === 0) return entry;
  return { ...entry, xattrs: entry.xattrs.filter(isLayer) };
}

function isLayer({ name }: Xattr): boolean {
  return isLayerXattr(name.toString('latin1'));
}
