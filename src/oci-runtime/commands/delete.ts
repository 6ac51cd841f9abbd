import { ContainerCgroups } from '../cgroup/container-cgroups.ts';
import { runtimeCommand } from '../command.ts';
import { containerProcesses } from '../container-processes.ts';
import { ContainerFolder, type ContainerRecord, statusOf } from '../container-record.ts';
import { hookState } from '../launch/start-container.ts';
import { log } from '../log.ts';
import { pause } from '../pause.ts';
import { killQuietly } from '../kill-quietly.ts';
import { RuntimeError } from '../runtime-error.ts';
import { isAlive } from '../../sys/process-identity.ts';

/** How long a killed process may take to be gone. */
const PATIENCE_MS = 10_000;

export const remove = runtimeCommand({
  usage: 'delete [--force] ID',
  flags: {
    force: { kind: 'boolean', short: 'f', help: 'kill the container if it runs; one that is not there is fine' },
  },
  args: [1, 1],
  async run({ surroundings, args: [id = ''], flags }) {
    const folder = new ContainerFolder(surroundings.root, id);
    if (!folder.exists() && flags.force) return 0;
    const record = folder.readOptional();
    if (record !== undefined) {
      const status = statusOf(folder, record);
      if (status === 'running' && !flags.force) {
        throw new RuntimeError(`cannot delete container ${id} that is not stopped: running`);
      }
      await removeContainer(folder, record);
    } else {
      folder.remove();
    }
    return 0;
  },
});

/** Ends what still runs of a container, and takes away what was made for it. */
export async function removeContainer(folder: ContainerFolder, record: ContainerRecord): Promise<void> {
  endAll(record);
  const cgroups = new ContainerCgroups(record.cgroup);
  cgroups.remove();
  if (record.cgroup.unit !== undefined) {
    const { stopUnit } = await import('../cgroup/systemd-unit.ts');
    await stopUnit(record.cgroup.unit);
  }
  folder.remove();
  if ((record.hooks.poststop ?? []).length > 0) {
    const { tryHooks } = await import('../launch/hooks.ts');
    for (const message of tryHooks(record.hooks, 'poststop', hookState(record, 'stopped'))) log('warning', message);
  }
}

function endAll(record: ContainerRecord): void {
  const { init, hasPidNamespace } = record;
  // Frozen processes of version 1 take no signal, not even this one.
  const cgroups = new ContainerCgroups(record.cgroup);
  if (isAlive(init)) {
    if (cgroups.isFrozen()) cgroups.freeze(false);
    killQuietly(init.pid);
  }
  // With PID 1 the kernel ends its namespace; without one, every process has to be found.
  if (!hasPidNamespace) for (const pid of containerProcesses(record)) killQuietly(pid);
  const start = performance.now();
  for (let wait = 1; isAlive(init); wait = Math.min(wait * 2, 50)) {
    if (performance.now() - start > PATIENCE_MS)
      throw new RuntimeError(`container init (pid ${init.pid}) does not end`);
    pause(wait);
  }
}
