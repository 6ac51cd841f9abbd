import { runtimeCommand } from '../command.ts';
import { ContainerFolder } from '../container-record.ts';
import { stateOf } from '../container-state.ts';
import { print } from '../print.ts';

export const state = runtimeCommand({
  usage: 'state ID',
  flags: {},
  args: [1, 1],
  run({ surroundings, args: [id = ''] }) {
    const folder = new ContainerFolder(surroundings.root, id);
    print(JSON.stringify(stateOf(folder, folder.read()), undefined, 2));
    return 0;
  },
});
