import { enableBoot } from '../../engine/autostart.ts';
import { defineCommand } from '../command.ts';

export const command = defineCommand({
  usage: '',
  summary: 'Have containers with a restart policy come back after a reboot',
  flags: {},
  args: [0, 0],
  async run(context) {
    const { way, note } = await enableBoot(context.paths());
    context.print(
      way === 'systemd'
        ? 'enabled: a unit of your systemd runs "trun system boot"'
        : 'enabled: a @reboot line of your crontab runs "trun system boot"',
    );
    if (note !== undefined) context.complain(note);
    return 0;
  },
});
