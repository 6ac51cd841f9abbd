import { EngineError } from '../../engine/engine-error.ts';
import { inspectContainer } from '../../engine/inspect.ts';
import { findNetwork, inspectNetwork } from '../../engine/inspect-networks.ts';
import { findVolume } from '../../engine/volumes.ts';
import { openImageStore } from '../../image/image-store.ts';
import { inspectImage } from '../../image/queries/inspect-image.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { ANY, type CommandContext, defineCommand } from '../command.ts';
import { trueContainer } from '../container/true-records.ts';
import { INSPECT_FORMAT, inspectEach } from '../inspect-each.ts';
import { volumeObject } from '../volume/volume-row.ts';

/** Kinds of things, in the order in which a name is looked for. */
const KINDS: Readonly<Record<string, (context: CommandContext, name: string) => object | Promise<object>>> = {
  container: async (context, name) => inspectContainer(context.paths(), await trueContainer(context, name)),
  image: (context, name) => inspectImage(openImageStore(context.paths().images), name),
  network: (context, name) => inspectNetwork(context.paths(), findNetwork(context.paths(), name)),
  volume: (context, name) => volumeObject(context.paths(), findVolume(context.paths(), name)),
};

export const command = defineCommand({
  usage: '[OPTIONS] NAME|ID [NAME|ID...]',
  summary: 'Return low-level information on containers, images, networks and volumes',
  flags: {
    format: INSPECT_FORMAT,
    size: { kind: 'boolean', short: 's', help: 'Display total file sizes', unsupported: 'yet' },
    type: { kind: 'text', help: 'Only inspect objects of the given type: container, image, network or volume' },
  },
  args: [1, ANY],
  run(context, { format, type }, names) {
    const finders = type === undefined ? Object.values(KINDS) : [finderOf(type)];
    return inspectEach(context, names, format, async (name) => {
      for (const find of finders) {
        try {
          return await find(context, name);
        } catch (error) {
          if (finders.length === 1 || !isAbsence(error)) throw error;
        }
      }
      throw new EngineError('NOT_FOUND', `No such object: ${name}`);
    });
  },
});

function finderOf(type: string): (typeof KINDS)[string] {
  const find = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  if (find === undefined) throw new InvalidInput(`"${type}" is not a valid value for --type`);
  return find;
}

/** There is none of this kind, or the name cannot be one of this kind. */
function isAbsence(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return code === 'NOT_FOUND' || code === 'INVALID';
}
