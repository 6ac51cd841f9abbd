/** What the process inside is asked to do. Paths are the container's. */
export type Task =
  | { readonly operation: 'stat'; readonly root: string; readonly path: string }
  | {
      readonly operation: 'pack';
      readonly root: string;
      readonly path: string;
      readonly name: string;
      readonly follow: boolean;
    }
  | { readonly operation: 'unpack'; readonly root: string; readonly folder: string; readonly keepOwner: boolean };

export type FileKind = 'file' | 'folder' | 'link' | 'other';

export interface FileStat {
  readonly kind: FileKind;
  /** Where a link points, as it is written. */
  readonly link?: string;
  /** What is there once links are followed; absent where there is nothing. */
  readonly targetKind?: FileKind;
}
