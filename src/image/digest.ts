import { createHash, hash } from 'node:crypto';
import { ImageError } from './image-error.ts';

/** `sha256:` and 64 lower-case hexadecimal digits: the one algorithm that registries serve in practice. */
export type Digest = `sha256:${string}`;

const sha256Pattern = /^sha256:[0-9a-f]{64}$/;
/** image-spec, descriptor.md: the general form, of which we take one algorithm. */
const digestPattern = /^[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-zA-Z=_-]+$/;

export function isDigest(text: unknown): text is Digest {
  return typeof text === 'string' && sha256Pattern.test(text);
}

/** Takes a digest from outside. `what` names the place it stands in, for the error. */
export function parseDigest(text: unknown, what: string): Digest {
  if (isDigest(text)) return text;
  const shown = typeof text === 'string' ? JSON.stringify(text.slice(0, 100)) : typeof text;
  if (typeof text === 'string' && digestPattern.test(text) && !text.startsWith('sha256:')) {
    throw new ImageError('UNSUPPORTED', `${what}: unsupported digest algorithm in ${shown} (only sha256 is supported)`);
  }
  throw new ImageError('INVALID', `${what}: invalid checksum digest format: ${shown}`);
}

/** The hexadecimal part: the blob's file name. */
export function digestHex(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

export function digestOf(content: Uint8Array | string): Digest {
  return `sha256:${hash('sha256', content, 'hex')}`;
}

/** A digest computed piece by piece. */
export class Digester {
  readonly #hash = createHash('sha256');

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk);
  }

  /** Call once. */
  digest(): Digest {
    return `sha256:${this.#hash.digest('hex')}`;
  }
}
