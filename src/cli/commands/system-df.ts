import { diskUsage, type DiskUsage } from '../../engine/disk-usage.ts';
import { shownStatus } from '../../engine/container.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { defineCommand } from '../command.ts';
import { imageNames } from '../image/image-row.ts';
import { formatAge } from '../output/duration.ts';
import { FORMAT_HELP, formatRows, type Row, type TableLayout } from '../output/row-format.ts';
import { formatSize } from '../output/size.ts';

const summary: TableLayout = {
  template: '{{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}',
  headers: {
    Type: 'TYPE',
    TotalCount: 'TOTAL',
    Active: 'ACTIVE',
    Size: 'SIZE',
    Reclaimable: 'RECLAIMABLE',
    SizeBytes: 'SIZE',
    ReclaimableBytes: 'RECLAIMABLE',
  },
};

const imageTable: TableLayout = {
  template:
    '{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}',
  headers: {
    Repository: 'REPOSITORY',
    Tag: 'TAG',
    ID: 'IMAGE ID',
    CreatedSince: 'CREATED',
    Size: 'SIZE',
    SharedSize: 'SHARED SIZE',
    UniqueSize: 'UNIQUE SIZE',
    Containers: 'CONTAINERS',
  },
};

const containerTable: TableLayout = {
  template:
    '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.CreatedSince}}\t{{.Status}}\t{{.Names}}',
  headers: {
    ID: 'CONTAINER ID',
    Image: 'IMAGE',
    Command: 'COMMAND',
    LocalVolumes: 'LOCAL VOLUMES',
    Size: 'SIZE',
    CreatedSince: 'CREATED',
    Status: 'STATUS',
    Names: 'NAMES',
  },
};

const volumeTable: TableLayout = {
  template: '{{.Name}}\t{{.Links}}\t{{.Size}}',
  headers: { Name: 'VOLUME NAME', Links: 'LINKS', Size: 'SIZE' },
};

export const command = defineCommand({
  usage: '[OPTIONS]',
  summary: 'Show disk usage',
  flags: {
    format: { kind: 'text', help: `${FORMAT_HELP}\n(SizeBytes and ReclaimableBytes are exact)` },
    verbose: { kind: 'boolean', short: 'v', help: 'Show detailed information on space usage' },
  },
  args: [0, 0],
  async run(context, { format, verbose }) {
    if (verbose && format !== undefined) throw new InvalidInput('--format cannot be combined with --verbose');
    const usage = await diskUsage(context.paths());
    if (verbose) context.printLines(details(usage, context.now));
    else context.printLines(formatRows(summaryRows(usage), summary, format));
    return 0;
  },
});

function summaryRows({ store, images, reclaimableImages, containers, volumes }: DiskUsage): Row[] {
  const idle = containers.filter(({ container }) => container.state.status !== 'running');
  const unlinked = volumes.filter(({ links }) => links === 0);
  const usedImages = images.filter((each) => each.containers > 0).length;
  return [
    summaryRow('Images', images.length, usedImages, store.imageBytes, reclaimableImages),
    summaryRow('Containers', containers.length, containers.length - idle.length, total(containers), total(idle)),
    summaryRow('Local Volumes', volumes.length, volumes.length - unlinked.length, total(volumes), total(unlinked)),
    summaryRow('Build Cache', store.pinned.count, 0, store.pinned.bytes, store.pinned.bytes),
    ...(store.leftoverBytes > 0
      ? [summaryRow('Unfinished pulls', 0, 0, store.leftoverBytes, store.leftoverBytes)]
      : []),
  ];
}

function summaryRow(type: string, count: number, active: number, bytes: number, reclaimable: number): Row {
  const share = bytes > 0 ? ` (${Math.floor((100 * reclaimable) / bytes)}%)` : '';
  return {
    Type: type,
    TotalCount: String(count),
    Active: String(active),
    Size: formatSize(bytes),
    Reclaimable: `${formatSize(reclaimable)}${share}`,
    SizeBytes: String(bytes),
    ReclaimableBytes: String(reclaimable),
  };
}

function total(things: readonly { readonly bytes: number }[]): number {
  return things.reduce((sum, { bytes }) => sum + bytes, 0);
}

function details({ store, images, containers, volumes }: DiskUsage, now: Date): string[] {
  const imageRows = images.flatMap(({ image, usage, containers: users }) =>
    imageNames(image).map(({ repository, tag }) => ({
      Repository: repository,
      Tag: tag,
      ID: image.id.slice('sha256:'.length).slice(0, 12),
      CreatedSince: image.created === undefined ? 'N/A' : formatAge(image.created, now),
      Size: formatSize(usage.size),
      SharedSize: formatSize(usage.shared),
      UniqueSize: formatSize(usage.size - usage.shared),
      Containers: String(users),
    })),
  );
  const containerRows = containers.map(({ container: { config, state }, bytes }) => ({
    ID: config.id.slice(0, 12),
    Image: config.request.image,
    Command: `"${config.command.join(' ').slice(0, 20)}"`,
    LocalVolumes: String(Object.keys(config.volumes).length),
    Size: formatSize(bytes),
    CreatedSince: formatAge(config.created, now),
    Status: shownStatus(state),
    Names: config.name,
  }));
  const volumeRows = volumes.map(({ volume, bytes, links }) => ({
    Name: volume.name,
    Links: String(links),
    Size: formatSize(bytes),
  }));
  return [
    ...['Images space usage:', '', ...formatRows(imageRows, imageTable), ''],
    ...['Containers space usage:', '', ...formatRows(containerRows, containerTable), ''],
    ...['Local Volumes space usage:', '', ...formatRows(volumeRows, volumeTable), ''],
    `Build cache usage: ${formatSize(store.pinned.bytes)}`,
  ];
}
