import { defineCommand } from '../command.ts';
import { canonicalReference, parseReference, repositoryName } from '../../image/reference.ts';
import { remoteTags } from '../../image/pull/remote-tags.ts';
import { openImageStore } from '../../image/image-store.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { fetchImage } from '../image/fetch-image.ts';

export const command = defineCommand({
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  summary: 'Download an image from a registry',
  flags: {
    'all-tags': {
      kind: 'boolean',
      short: 'a',
      help: 'Download all tagged images in the repository',
    },
    'disable-content-trust': { kind: 'boolean', preset: true, hidden: true, help: 'Skip image verification' },
    platform: { kind: 'text', help: 'Set platform of the image: os[/architecture[/variant]]' },
    quiet: { kind: 'boolean', short: 'q', help: 'Suppress verbose output' },
  },
  args: [1, 1],
  async run(context, { platform, quiet, 'all-tags': allTags }, [name]) {
    const options = { platform, quiet, policy: 'always', output: context.stdout } as const;
    if (allTags) {
      const reference = parseReference(name!);
      if (reference.tag !== undefined || reference.digest !== undefined) {
        throw new InvalidInput("tag can't be used with --all-tags/-a");
      }
      for (const tag of await remoteTags(openImageStore(context.paths().images, { env: context.env }), reference)) {
        await fetchImage(context, canonicalReference({ ...reference, tag }), options);
      }
      context.print(repositoryName(reference));
      return 0;
    }
    const { canonicalName } = await fetchImage(context, name!, options);
    context.print(canonicalName);
    return 0;
  },
});
