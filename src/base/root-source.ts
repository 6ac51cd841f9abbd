/** How the container's root file system comes about, in the container's own mount namespace. */
export type RootSource =
  /** overlayfs in the container's user namespace. `upper` and `work` are names below `folder`. */
  | {
      readonly kind: 'overlay';
      readonly lower: string;
      readonly folder: string;
      readonly upper: string;
      readonly work: string;
    }
  /** A folder of the holder's mount namespace that is there already: a FUSE mount, or a plain folder. */
  | { readonly kind: 'folder'; readonly path: string };

/** Options of mount(2), from the folder of the writable layer. `userxattr` is what makes it work without privileges. */
export function overlayOptions({ lower, upper, work }: Extract<RootSource, { kind: 'overlay' }>): string {
  // A colon separates lower layers, a comma options (Documentation/filesystems/overlayfs.rst).
  const layer = lower.replace(/[\\,:]/g, '\\$&');
  return `lowerdir=${layer},upperdir=${escapeOption(upper)},workdir=${escapeOption(work)},userxattr`;
}

function escapeOption(path: string): string {
  return path.replace(/[\\,]/g, '\\$&');
}
