/** What a container uses, as `stats` shows it. */
import type { Container } from '../../engine/container.ts';
import type { ContainerStats } from '../../engine/container-stats.ts';
import type { Row, TableLayout } from '../output/row-format.ts';
import { formatBinarySize, formatSize } from '../output/size.ts';

export const STATS_TABLE: TableLayout = {
  template: '{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}',
  headers: {
    BlockIO: 'BLOCK I/O',
    CPUPerc: 'CPU %',
    Container: 'CONTAINER',
    ID: 'CONTAINER ID',
    MemPerc: 'MEM %',
    MemUsage: 'MEM USAGE / LIMIT',
    Name: 'NAME',
    NetIO: 'NET I/O',
    PIDs: 'PIDS',
  },
};

const NOTHING = {
  time: 0,
  cpu: 0,
  memory: 0,
  memoryLimit: 0,
  network: { received: 0, sent: 0 },
  block: { read: 0, written: 0 },
  pids: 0,
};

/** @param before what an earlier look saw, from which come rates */
export function statsRow(
  { config: { id, name } }: Container,
  before: ContainerStats | undefined,
  now: ContainerStats = NOTHING,
  truncate = true,
): Row {
  const shownId = truncate ? id.slice(0, 12) : id;
  return {
    BlockIO: `${formatSize(now.block.read)} / ${formatSize(now.block.written)}`,
    CPUPerc: percent(processorShare(before, now)),
    Container: shownId,
    ID: shownId,
    MemPerc: percent(now.memoryLimit === 0 ? 0 : now.memory / now.memoryLimit),
    MemUsage: `${formatBinarySize(now.memory)} / ${formatBinarySize(now.memoryLimit)}`,
    Name: name,
    NetIO: `${formatSize(now.network.received)} / ${formatSize(now.network.sent)}`,
    PIDs: String(now.pids),
  };
}

/** Processors' worth of time between two looks: 1 is one processor kept busy. */
function processorShare(before: ContainerStats | undefined, now: ContainerStats): number {
  const seconds = before === undefined ? 0 : (now.time - before.time) / 1000;
  return seconds <= 0 ? 0 : Math.max(now.cpu - before!.cpu, 0) / seconds;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)}%`;
}
