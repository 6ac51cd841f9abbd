/** What one layer may cost us at most. An archive is untrusted: a few kilobytes can claim terabytes. */
export interface UnpackLimits {
  /** Bytes of the uncompressed archive plus the holes of its sparse files. */
  readonly layerBytes: number;
  readonly entries: number;
  /** Bytes of names, link targets and extended attributes together: they are held in memory. */
  readonly metadataBytes: number;
}

export const defaultUnpackLimits: UnpackLimits = {
  layerBytes: 64 * 1024 ** 3,
  entries: 2_000_000,
  metadataBytes: 512 * 1024 ** 2,
};

/** limits.h: PATH_MAX counts the final NUL. */
export const PATH_LIMIT = 4095;
/** xattr(7), linux/limits.h */
export const XATTR_NAME_LIMIT = 255;
export const XATTR_VALUE_LIMIT = 64 * 1024;
