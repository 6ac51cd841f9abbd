import { type Volume, volumeData } from '../../engine/volumes.ts';
import type { StatePaths } from '../../state/paths.ts';
import { formatLabels } from '../output/labels.ts';
import type { Row, TableLayout } from '../output/row-format.ts';

export const VOLUME_TABLE: TableLayout = {
  template: '{{.Driver}}\t{{.Name}}',
  headers: {
    Driver: 'DRIVER',
    Name: 'VOLUME NAME',
    Scope: 'SCOPE',
    Mountpoint: 'MOUNTPOINT',
    Labels: 'LABELS',
    Links: 'LINKS',
    Size: 'SIZE',
  },
};

export function volumeRow(paths: StatePaths, { name, labels }: Volume): Row {
  return {
    Driver: 'local',
    Labels: formatLabels(labels),
    Mountpoint: volumeData(paths, name),
    Name: name,
    Scope: 'local',
    Label: (key) => (typeof key === 'string' ? labels[key] : undefined) ?? '',
  };
}

/** What `volume inspect` prints. */
export function volumeObject(paths: StatePaths, { name, created, labels }: Volume): Row {
  return {
    CreatedAt: created,
    Driver: 'local',
    Labels: Object.keys(labels).length === 0 ? null : labels,
    Mountpoint: volumeData(paths, name),
    Name: name,
    Options: null,
    Scope: 'local',
  };
}
