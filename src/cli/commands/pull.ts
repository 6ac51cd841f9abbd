import { defineCommand } from '../command.ts';
import { fetchImage } from '../image/fetch-image.ts';

export const command = defineCommand({
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  summary: 'Download an image from a registry',
  flags: {
    'all-tags': {
      kind: 'boolean',
      short: 'a',
      help: 'Download all tagged images in the repository',
      unsupported: 'yet',
    },
    'disable-content-trust': { kind: 'boolean', preset: true, hidden: true, help: 'Skip image verification' },
    platform: { kind: 'text', help: 'Set platform of the image: os[/architecture[/variant]]' },
    quiet: { kind: 'boolean', short: 'q', help: 'Suppress verbose output' },
  },
  args: [1, 1],
  async run(context, { platform, quiet }, [name]) {
    const options = { platform, quiet, policy: 'always', output: context.stdout } as const;
    const { canonicalName } = await fetchImage(context, name!, options);
    context.print(canonicalName);
    return 0;
  },
});
