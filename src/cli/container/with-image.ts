import { EngineError } from '../../engine/engine-error.ts';
import { readSettings, settingString } from '../../state/settings.ts';
import type { CommandContext } from '../command.ts';
import { badValue } from '../flags/parse-flags.ts';
import { CONTAINER_FLAGS } from './container-flags.ts';

/** The pseudo image, which nobody has to pull. */
const HOST = 'host';

interface ImageOptions {
  /** Empty where the container has a folder instead. */
  readonly image: string;
  readonly pull: string;
  readonly platform: string | undefined;
  readonly quiet: boolean;
  /** Start before its files are there, where that can be. */
  readonly lazy?: boolean;
}

/**
 * Makes something from an image, pulling that as `--pull` says. Whether it is there the engine knows best: it is asked
 * first, so that a warm start does not load the registry client nor read the store twice.
 */
export async function withImage<R>(
  context: CommandContext,
  { image, pull, platform, quiet, lazy = false }: ImageOptions,
  make: () => Promise<R>,
): Promise<R> {
  if (pull !== 'always' && pull !== 'missing' && pull !== 'never') {
    throw badValue('pull', CONTAINER_FLAGS.pull, pull, 'it must be one of "always", "missing" or "never"');
  }
  if (image === '' || image === HOST) return make();
  async function fetch(): Promise<void> {
    const { fetchImage, fetchLazily } = await import('../image/fetch-image.ts');
    if ((lazy || isLazyByDefault(context)) && (await fetchLazily(context, image, { platform, quiet }))) return;
    await fetchImage(context, image, { policy: pull as 'missing', platform, quiet, output: context.stderr });
  }
  if (pull === 'always' || platform !== undefined) {
    await fetch();
    return make();
  }
  try {
    return await make();
  } catch (error) {
    if (pull === 'never' || !isMissingImage(error)) throw error;
  }
  const { parseReference, familiarReference, withDefaultTag } = await import('../../image/reference.ts');
  context.stderr.write(`Unable to find image '${familiarReference(withDefaultTag(parseReference(image)))}' locally\n`);
  await fetch();
  return make();
}

/** The configuration's `pull`. */
function isLazyByDefault(context: CommandContext): boolean {
  return settingString(readSettings(context.paths().root), 'pull') === 'lazy';
}

function isMissingImage(error: unknown): boolean {
  return error instanceof EngineError && error.code === 'NOT_FOUND' && error.message.startsWith('No such image');
}
