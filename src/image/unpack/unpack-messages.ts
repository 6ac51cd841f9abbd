import type { UnpackRequest, UnpackResult } from './unpack-layer.ts';

/** From the pull to an unpacking thread. One layer at a time: `begin`, any number of `grown`, `complete`. */
export type ToUnpacker =
  | { readonly kind: 'begin'; readonly path: string; readonly request: UnpackRequest }
  | { readonly kind: 'grown'; readonly available: number }
  | { readonly kind: 'complete' };

/** Back: progress in bytes of the blob, and one of `done` and `failed`. */
export type FromUnpacker =
  | { readonly kind: 'progress'; readonly position: number }
  | { readonly kind: 'done'; readonly result: UnpackResult }
  | { readonly kind: 'failed'; readonly error: UnpackFailure };

/** An error on its way between threads, where classes do not survive. */
export interface UnpackFailure {
  readonly message: string;
  /** The archive's fault, not ours nor the disk's. */
  readonly isArchive: boolean;
  readonly code?: string;
}
