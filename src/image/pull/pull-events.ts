/** What a pull or a push tells while it runs, in Docker's words. */

export const layerStates = [
  'Pulling fs layer',
  'Waiting',
  'Downloading',
  'Verifying Checksum',
  'Download complete',
  'Extracting',
  'Pull complete',
  'Already exists',
  'Preparing',
  'Pushing',
  'Pushed',
  'Layer already exists',
] as const;

export type LayerState =
  (typeof layerStates)[number] | `Mounted from ${string}` | `Retrying in ${number} second${'s' | ''}`;

/** A pause before the next try. */
export function retryState(milliseconds: number): LayerState {
  const seconds = Math.max(Math.ceil(milliseconds / 1000), 1);
  return `Retrying in ${seconds} second${seconds === 1 ? '' : 's'}`;
}

export type PullEvent =
  /** Once the registry has said what there is: `bookworm: Pulling from library/debian`. `reference` is the tag or digest. */
  | { readonly kind: 'start'; readonly reference: string; readonly repository: string }
  /** `id`: twelve digits of the layer's digest. `current` and `total` (bytes of the blob) with Downloading, Extracting and Pushing. */
  | {
      readonly kind: 'layer';
      readonly id: string;
      readonly state: LayerState;
      readonly current?: number;
      readonly total?: number;
    }
  /** `The push refers to repository [docker.io/library/debian]` */
  | { readonly kind: 'push'; readonly repository: string }
  /** Something the user should know that does not stop the pull. */
  | { readonly kind: 'notice'; readonly text: string };

export type OnPullEvent = (event: PullEvent) => void;
