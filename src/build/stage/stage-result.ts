import type { ChainLayer } from '../source/layer-chain.ts';
import type { ImageDraft } from './image-draft.ts';

/** What a stage has become. */
export interface StageResult {
  readonly layers: readonly ChainLayer[];
  /** How many of them, from the first on, are a base image's. */
  readonly baseLayers: number;
  readonly draft: ImageDraft;
  /** Arguments that the stage has declared: a stage that stands on it knows them. */
  readonly args: ReadonlyMap<string, string | undefined>;
  /** When the last of it was made, RFC 3339; absent for nothing. */
  readonly created?: string;
}
