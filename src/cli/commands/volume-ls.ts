import { listContainers } from '../../engine/container.ts';
import { listVolumes, type Volume } from '../../engine/volumes.ts';
import { defineCommand } from '../command.ts';
import { filterBoolean, filterPattern, matchesLabel, parseFilters } from '../filters.ts';
import { FORMAT_HELP, formatRows } from '../output/row-format.ts';
import { VOLUME_TABLE, volumeRow } from '../volume/volume-row.ts';

interface UsedVolume {
  readonly volume: Volume;
  readonly isUsed: boolean;
}

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'List volumes',
  flags: {
    filter: { kind: 'list', type: 'filter', short: 'f', help: 'Provide filter values (e.g. "dangling=true")' },
    format: { kind: 'text', help: FORMAT_HELP },
    quiet: { kind: 'boolean', short: 'q', help: 'Only display volume names' },
  },
  args: [0, 0],
  run(context, { filter, format, quiet }) {
    const passes = parseFilters<UsedVolume>(filter, {
      dangling: ({ isUsed }, value) => isUsed !== filterBoolean('dangling', value),
      driver: (_, value) => value === 'local',
      label: ({ volume }, value) => matchesLabel(volume.labels, value),
      name: ({ volume }, value) => filterPattern('name', value).test(volume.name),
    });
    const paths = context.paths();
    const used = new Set(listContainers(paths).flatMap(({ config }) => Object.values(config.volumes)));
    const volumes = listVolumes(paths).filter((volume) => passes({ volume, isUsed: used.has(volume.name) }));
    const rows = volumes.map((volume) => volumeRow(paths, volume));
    context.printLines(formatRows(rows, VOLUME_TABLE, quiet ? '{{.Name}}' : format));
    return Promise.resolve(0);
  },
});
