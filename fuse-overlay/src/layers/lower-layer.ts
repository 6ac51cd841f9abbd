/**
 * The contract of a lower layer: a tree that is only read. The image tree and the directory layer implement it, and the union
 * reads its lower layers through nothing else.
 *
 * Results are as in the FileSystem contract: negative is `-errno`. Nodes are positive numbers below 2^53 that the layer gives
 * out; hard links are one node. No method follows a symbolic link, blocks on a fifo, or reaches outside the layer's root.
 */
import type { Attributes } from '../server/attributes.ts';
import type { ReadRoom } from '../server/file-system.ts';
import type { Name } from '../server/name.ts';

/** Called once for each name of a directory, without `.` and `..`. `type`: the file type bits of `st_mode`. */
export type ListVisitor = (name: Buffer, type: number, ino: number) => void;

export interface LowerLayer {
  readonly root: number;
  /** Nothing in it ever changes: whatever it said may be kept for ever. */
  readonly immutable: boolean;
  /** Text that is the same exactly for the same tree (digest, or device:inode of the directory): kept in metadata of ours. */
  readonly identity: string;

  /** The node of a name, or `-ENOENT`, `-ENOTDIR`… Counts one reference on the node. */
  lookup(directory: number, name: Name): number;
  /** Gives references of `lookup` back. */
  forget(node: number, count: number): void;
  /** Fills all of `out`; `out.ino` is unique within the layer and stays the same as long as the file does. */
  getattr(node: number, out: Attributes): number;
  /** Visits every name; buffers given to the visitor are its own to keep. */
  readdir(directory: number, visit: ListVisitor): number;
  /** The target's bytes, or a negative errno. */
  readlink(node: number): Buffer | number;
  /** The value, or a negative errno (`-ENODATA` when there is none). */
  getxattr(node: number, name: Name): Buffer | number;
  /** Names of extended attributes, or a negative errno. */
  listxattr(node: number): Buffer[] | number;
  /** A new descriptor of a regular file's contents, O_RDONLY and close-on-exec, which the caller closes; or a negative errno. */
  open(node: number): number;
  /**
   * Answers a READ from a regular file, through descriptors that the layer keeps: the number of bytes in `out`, or `NOT_YET` where
   * that would mean to wait for a disk. `attempt` counts the calls for one request.
   */
  read(node: number, offset: number, out: ReadRoom, attempt: number): number;
  /** Content id (sha256, 32 bytes) of a regular file where the layer knows it. */
  contentId(node: number): Buffer | undefined;
  /** Closes every descriptor it keeps. Once more does nothing. */
  close(): void;
}
