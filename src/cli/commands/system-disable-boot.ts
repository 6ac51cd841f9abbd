import { disableBoot } from '../../engine/autostart.ts';
import { defineCommand } from '../command.ts';

export const command = defineCommand({
  usage: '',
  summary: 'Undo "trun system enable-boot"',
  flags: {},
  args: [0, 0],
  async run() {
    await disableBoot();
    return 0;
  },
});
