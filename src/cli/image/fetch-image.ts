/** Pulling an image, with the words around it that Docker prints. */
import { openImageStore } from '../../image/image-store.ts';
import type { PullEvent } from '../../image/pull/pull-events.ts';
import { beginLazyPull } from '../../image/lazy/lazy-pull.ts';
import { ensureFetcher } from '../../image/lazy/ensure-fetcher.ts';
import { familiarReference, parseReference, withDefaultTag } from '../../image/reference.ts';
import { pullImage, type PullPolicy, type PulledImage } from '../../image/pull.ts';
import type { CommandContext } from '../command.ts';
import { openPullProgress, type PullProgress } from '../output/pull-progress.ts';

export interface FetchOptions {
  readonly platform: string | undefined;
  readonly policy: PullPolicy;
  readonly quiet: boolean;
  /** Where the progress goes: `run` keeps standard output for the container. */
  readonly output: NodeJS.WriteStream;
}

/** Sees to it that an image is in the store, telling how that goes. Throws ImageError. */
export async function fetchImage(context: CommandContext, name: string, options: FetchOptions): Promise<PulledImage> {
  const { output, quiet, policy, platform } = options;
  const store = openImageStore(context.paths().images, { env: context.env });
  const progress = quiet ? undefined : patient(openPullProgress(output));
  let pulled;
  try {
    pulled = await pullImage(store, name, {
      policy,
      ...(platform === undefined ? {} : { platform }),
      ...(progress === undefined ? {} : { onEvent: progress.onEvent }),
    });
    progress?.begin();
  } finally {
    progress?.end();
  }
  if (!quiet && pulled.outcome !== 'present') {
    const status = pulled.outcome === 'pulled' ? 'Downloaded newer image' : 'Image is up to date';
    output.write(`Digest: ${pulled.digest ?? ''}\nStatus: ${status} for ${pulled.familiarName}\n`);
  }
  return pulled;
}

/**
 * Makes an image startable without its files, which then come when they are read. False where it cannot be: then nothing has been
 * done. Throws ImageError.
 */
export async function fetchLazily(
  context: CommandContext,
  name: string,
  { platform, quiet }: Pick<FetchOptions, 'platform' | 'quiet'>,
): Promise<boolean> {
  const store = openImageStore(context.paths().images, { env: context.env });
  const reference = withDefaultTag(parseReference(name));
  const start = await beginLazyPull(store, reference, platform);
  if (!start) {
    if (!quiet) {
      context.stderr.write(
        `${familiarReference(reference)} has layers without a table of contents (eStargz, zstd:chunked): it is pulled whole\n`,
      );
    }
    return false;
  }
  ensureFetcher(store.layout, start.manifest, context.env);
  return true;
}

/** Says what is pulled only when the registry turns out to have it, as Docker does: until then one line tells what failed. */
function patient(progress: PullProgress): PullProgress & { begin(): void } {
  let start: PullEvent | undefined;
  function begin(): void {
    if (start !== undefined) progress.onEvent(start);
    start = undefined;
  }
  return {
    begin,
    onEvent(event) {
      if (event.kind === 'start') {
        start = event;
        return;
      }
      begin();
      progress.onEvent(event);
    },
    end: progress.end,
  };
}
