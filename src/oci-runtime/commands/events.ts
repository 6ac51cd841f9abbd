import { setTimeout as sleep } from 'node:timers/promises';
import { ContainerCgroups } from '../cgroup/container-cgroups.ts';
import { cgroupStats, oomKills } from '../cgroup/stats.ts';
import { runtimeCommand } from '../command.ts';
import { ContainerFolder, statusOf } from '../container-record.ts';
import { print } from '../print.ts';
import { RuntimeError } from '../runtime-error.ts';

export const events = runtimeCommand({
  usage: 'events [--stats] [--interval 5s] ID',
  flags: {
    interval: { kind: 'text', preset: '5s', help: 'how often to print what the container uses' },
    stats: { kind: 'boolean', help: 'print it once, and be done' },
  },
  args: [1, 1],
  async run({ surroundings, args: [id = ''], flags }) {
    const folder = new ContainerFolder(surroundings.root, id);
    const record = folder.read();
    const cgroups = new ContainerCgroups(record.cgroup);
    const interval = seconds(flags.interval);
    if (statusOf(folder, record) === 'stopped') throw new RuntimeError('container with id is not running');
    let known = oomKills(cgroups);
    do {
      print(JSON.stringify({ type: 'stats', id, data: cgroupStats(cgroups) }));
      if (flags.stats) return 0;
      for (let waited = 0; waited < interval && statusOf(folder, record) !== 'stopped'; waited += 0.1) {
        await sleep(100);
        const kills = oomKills(cgroups);
        if (kills > known) print(JSON.stringify({ type: 'oom', id }));
        known = kills;
      }
    } while (folder.exists() && statusOf(folder, record) !== 'stopped');
    return 0;
  },
});

/** Go's durations, as `5s` or `1m30s`. */
function seconds(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)];
  if (parts.length === 0 || parts.map(([part]) => part).join('') !== text) {
    throw new RuntimeError(`--interval: must be a duration as 5s, not '${text}'`);
  }
  const units: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600 };
  const total = parts.reduce((sum, [, number, unit = 's']) => sum + Number(number) * units[unit]!, 0);
  if (total <= 0) throw new RuntimeError('duration interval must be greater than 0');
  return total;
}
