import { openImageStore } from '../../image/image-store.ts';
import { pushImage } from '../../image/push/push-image.ts';
import { localTags } from '../../image/queries/local-tags.ts';
import {
  canonicalReference,
  familiarName,
  parseReference,
  repositoryName,
  withDefaultTag,
} from '../../image/reference.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { CommandFailure } from '../command-failure.ts';
import { defineCommand } from '../command.ts';
import { openPullProgress } from '../output/pull-progress.ts';

export const command = defineCommand({
  usage: '[OPTIONS] NAME[:TAG]',
  summary: 'Upload an image to a registry',
  flags: {
    'all-tags': { kind: 'boolean', short: 'a', help: 'Push all tags of an image to the repository' },
    'disable-content-trust': { kind: 'boolean', preset: true, hidden: true, help: 'Skip image signing' },
    platform: {
      kind: 'text',
      help: 'Push a platform-specific manifest',
      unsupported: 'an image here has one platform',
    },
    quiet: { kind: 'boolean', short: 'q', help: 'Suppress verbose output' },
  },
  args: [1, 1],
  async run(context, { 'all-tags': allTags, quiet }, [name]) {
    const store = openImageStore(context.paths().images, { env: context.env });
    const reference = parseReference(name!);
    if (allTags && (reference.tag !== undefined || reference.digest !== undefined)) {
      throw new InvalidInput("tag can't be used with --all-tags/-a");
    }
    const targets = allTags ? localTags(store, reference) : [withDefaultTag(reference)];
    if (targets.length === 0) {
      throw new CommandFailure(`An image does not exist locally with the tag: ${familiarName(reference)}`, 1);
    }
    const output = context.stdout;
    if (!quiet) output.write(`The push refers to repository [${repositoryName(reference)}]\n`);
    for (const target of targets) {
      const progress = quiet ? undefined : openPullProgress(output);
      try {
        const { digest, size } = await pushImage(store, target, progress ? { onEvent: progress.onEvent } : {});
        progress?.end();
        context.print(quiet ? canonicalReference(target) : `${target.tag!}: digest: ${digest} size: ${size}`);
      } catch (error) {
        progress?.end();
        throw error;
      }
    }
    return 0;
  },
});
