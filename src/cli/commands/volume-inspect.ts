import { findVolume } from '../../engine/volumes.ts';
import { ANY, defineCommand } from '../command.ts';
import { INSPECT_FORMAT, inspectEach } from '../inspect-each.ts';
import { volumeObject } from '../volume/volume-row.ts';

export const command = defineCommand({
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  summary: 'Display detailed information on one or more volumes',
  flags: { format: INSPECT_FORMAT },
  args: [1, ANY],
  run(context, { format }, names) {
    const paths = context.paths();
    return inspectEach(context, names, format, (name) => volumeObject(paths, findVolume(paths, name)));
  },
});
