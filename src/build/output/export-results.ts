/** What becomes of a finished build: images in the store, archives, folders. */
import type { Digest } from '../../image/digest.ts';
import { commitImage, type CommittedImage } from '../../image/commit-image.ts';
import type { Platform } from '../../image/platform.ts';
import { familiarReference } from '../../image/reference.ts';
import type { Output } from '../build-request.ts';
import { createdAt, type BuildSession } from '../session.ts';
import { configDocument } from '../stage/image-draft.ts';
import type { StageResult } from '../stage/stage-result.ts';
import { rewriteLayers } from './rewrite-layers.ts';

export interface BuildOutcome {
  /** Of the first platform's image; absent where no image was made. */
  readonly image?: CommittedImage;
  readonly names: readonly string[];
}

export interface PlatformResult {
  readonly platform: Platform;
  readonly result: StageResult;
}

export async function exportResults(session: BuildSession, results: readonly PlatformResult[]): Promise<BuildOutcome> {
  const { request } = session;
  let outcome: BuildOutcome = { names: [] };
  for (const output of request.outputs) {
    if (output.type === 'image') outcome = await exportImage(session, results, output);
  }
  return outcome;
}

async function exportImage(
  session: BuildSession,
  results: readonly PlatformResult[],
  output: Extract<Output, { type: 'image' }>,
): Promise<BuildOutcome> {
  const events = session.progress.step('exporting to image');
  events.begin();
  try {
    events.note('exporting layers');
    const [first] = results;
    const image = await commitResult(session, first!.result, output);
    events.note(`writing image ${image.id satisfies Digest}`);
    const names = output.names.map(familiarReference);
    for (const name of names) events.note(`naming to ${name}`);
    events.done();
    return { image, names };
  } catch (error) {
    events.fail((error as Error).message);
    throw error;
  }
}

/** The image of a finished stage, in the store. */
export async function commitResult(
  session: BuildSession,
  result: StageResult,
  { names, annotations }: Pick<Extract<Output, { type: 'image' }>, 'names' | 'annotations'>,
): Promise<CommittedImage> {
  const { request, store } = session;
  const layers = rewriteLayers(session, result);
  const draft = structuredClone(result.draft);
  draft.config.Labels = { ...draft.config.Labels, ...request.labels };
  const config = configDocument(
    draft,
    layers.map(({ diffId }) => diffId),
    request.epoch === undefined ? lastTime(result) : createdAt(request),
  );
  return commitImage(store, {
    config,
    layers: layers.map(({ descriptor }) => descriptor),
    references: names,
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  });
}

/** The time of the last step: the same for the same steps, so that a build from the cache gives the same image. */
function lastTime({ draft }: StageResult): string {
  const last = draft.history.at(-1) as { created?: unknown } | undefined;
  return typeof last?.created === 'string' ? last.created : new Date().toISOString();
}
