/** What a pull tells while it runs, in Docker's words. */

export const layerStates = [
  'Pulling fs layer',
  'Waiting',
  'Downloading',
  'Verifying Checksum',
  'Download complete',
  'Extracting',
  'Pull complete',
  'Already exists',
] as const;

export type LayerState = (typeof layerStates)[number];

export type PullEvent =
  /** Once the registry has said what there is: `bookworm: Pulling from library/debian`. `reference` is the tag or digest. */
  | { readonly kind: 'start'; readonly reference: string; readonly repository: string }
  /** `id`: twelve digits of the layer's digest. `current` and `total` (bytes of the blob) with Downloading and Extracting. */
  | {
      readonly kind: 'layer';
      readonly id: string;
      readonly state: LayerState;
      readonly current?: number;
      readonly total?: number;
    }
  /** Something the user should know that does not stop the pull. */
  | { readonly kind: 'notice'; readonly text: string };

export type OnPullEvent = (event: PullEvent) => void;
