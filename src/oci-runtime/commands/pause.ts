import { ContainerCgroups } from '../cgroup/container-cgroups.ts';
import { runtimeCommand, type RuntimeCommand } from '../command.ts';
import { ContainerFolder } from '../container-record.ts';
import { fullStatus } from '../container-state.ts';
import { RuntimeError } from '../runtime-error.ts';

export const pauseContainer = freezing('pause', true);
export const resumeContainer = freezing('resume', false);

function freezing(name: string, frozen: boolean): RuntimeCommand {
  return runtimeCommand({
    usage: `${name} ID`,
    flags: {},
    args: [1, 1],
    run({ surroundings, args: [id = ''] }) {
      const folder = new ContainerFolder(surroundings.root, id);
      const record = folder.read();
      const status = fullStatus(folder, record);
      const wanted = frozen ? ['running', 'created'] : ['paused'];
      if (!wanted.includes(status)) {
        throw new RuntimeError(frozen ? `container not running or created: ${status}` : 'container not paused');
      }
      const cgroups = new ContainerCgroups(record.cgroup);
      if (!cgroups.canFreeze) throw new RuntimeError(`cannot ${name} a container without cgroups`);
      cgroups.freeze(frozen);
      return 0;
    },
  });
}
