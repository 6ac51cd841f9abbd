import { runtimeCommand } from '../command.ts';
import { ContainerFolder } from '../container-record.ts';
import { startContainer } from '../launch/start-container.ts';

export const start = runtimeCommand({
  usage: 'start ID',
  flags: {},
  args: [1, 1],
  async run({ surroundings, args: [id = ''] }) {
    const folder = new ContainerFolder(surroundings.root, id);
    await startContainer(folder, folder.read());
    return 0;
  },
});
