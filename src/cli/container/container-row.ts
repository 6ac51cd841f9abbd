/** A container as `ps` shows it. */
import type { ContainerSize } from '../../engine/container-sizes.ts';
import { attachmentsOf } from '../../engine/attachments.ts';
import { type Container, shownStatus } from '../../engine/container.ts';
import { shownHealth } from '../../engine/health.ts';
import { formatAge, formatDuration, formatTime } from '../output/duration.ts';
import { formatLabels } from '../output/labels.ts';
import { ellipsis, quote } from '../output/quote.ts';
import { formatSize } from '../output/size.ts';
import type { Row, TableLayout } from '../output/row-format.ts';
import { formatPorts } from './port-list.ts';

export const CONTAINER_TABLE: TableLayout = {
  template: '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}',
  headers: {
    ID: 'CONTAINER ID',
    Names: 'NAMES',
    Image: 'IMAGE',
    Command: 'COMMAND',
    CreatedAt: 'CREATED AT',
    RunningFor: 'CREATED',
    Ports: 'PORTS',
    State: 'STATE',
    Status: 'STATUS',
    Size: 'SIZE',
    Labels: 'LABELS',
    Mounts: 'MOUNTS',
    LocalVolumes: 'LOCAL VOLUMES',
    Networks: 'NETWORKS',
  },
};

/** @param truncate shorten ids, commands and mounts as a terminal wants them */
export function containerRow({ folder, config, state }: Container, now: Date, truncate: boolean): Row {
  const { request } = config;
  const command = commandLine(config.command);
  const mounts = [...Object.values(config.volumes), ...request.mounts.flatMap(bindSource)];
  return {
    Command: quote(truncate ? ellipsis(command, 20) : command),
    CreatedAt: formatTime(config.created),
    ID: truncate ? config.id.slice(0, 12) : config.id,
    Image: request.rootfs ?? request.image,
    Labels: formatLabels(request.labels),
    LocalVolumes: String(Object.keys(config.volumes).length),
    Mounts: mounts.map((mount) => (truncate ? ellipsis(mount, 15) : mount)).join(','),
    Names: config.name,
    Networks: networkNames(config).join(','),
    Ports: formatPorts(state.network?.ports ?? []),
    RunningFor: formatAge(config.created, now),
    State: shownStatus(state),
    Status: containerStatus(state, now, shownHealth({ folder, config, state })),
    Label: (key) => (typeof key === 'string' ? request.labels[key] : undefined) ?? '',
  };
}

/** The networks that a container is on, or the container whose it shares. */
export function networkNames(config: Container['config']): string[] {
  const names = attachmentsOf(config).map(({ network }) => network);
  return names.length === 0 ? [config.request.network] : names;
}

/** `12B (virtual 7.8MB)` */
export function sizeText({ written, withImage }: ContainerSize): string {
  return `${formatSize(written)}${withImage === undefined ? '' : ` (virtual ${formatSize(withImage)})`}`;
}

/** `Up 3 minutes (healthy)`, `Exited (0) 2 hours ago`, `Created`. @param health as `shownHealth` gives it */
export function containerStatus(state: Container['state'], now: Date, health?: string): string {
  switch (state.status) {
    case 'created':
      return 'Created';
    case 'running':
      return [
        `Up ${formatDuration(now.getTime() - Date.parse(state.startedAt ?? ''))}`,
        ...(state.paused === true ? [' (Paused)'] : health === undefined ? [] : [` (${healthText(health)})`]),
      ].join('');
    case 'restarting':
      return `Restarting (${state.exitCode ?? 0}) ${formatAge(state.finishedAt ?? '', now)}`;
    case 'exited':
      return `Exited (${state.exitCode ?? 0}) ${formatAge(state.finishedAt ?? '', now)}`;
  }
}

function healthText(health: string): string {
  return health === 'starting' ? 'health: starting' : health;
}

/** Docker's way to show an argument vector: what has blanks in it stands in single quotes. */
function commandLine(command: readonly string[]): string {
  const [program = '', ...args] = command;
  return [program, ...args.map((each) => (each.includes(' ') ? `'${each}'` : each))].join(' ');
}

function bindSource(mount: Container['config']['request']['mounts'][number]): string[] {
  return mount.type === 'bind' ? [mount.source] : [];
}
