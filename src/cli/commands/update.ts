import { parseRestart } from '../../oci/options/restart.ts';
import { ANY, defineCommand } from '../command.ts';
import { LIMIT_FLAGS, RESTART_FLAG } from '../container/container-flags.ts';
import { limitUpdate } from '../container/resource-limits.ts';
import { eachName } from '../each-name.ts';
import type { Flag } from '../flags/flag.ts';
import { decodeFlag } from '../flags/parse-flags.ts';
import { UsageError } from '../flags/usage-error.ts';

const flags = {
  ...LIMIT_FLAGS,
  restart: RESTART_FLAG,
} as const satisfies Record<string, Flag>;

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Update configuration of one or more containers',
  flags,
  args: [1, ANY],
  run(context, values, names) {
    if (Object.values(values).every((value) => value === undefined)) {
      throw new UsageError('you must provide one or more flags when using this command');
    }
    const { restart, ...limits } = values;
    const update = {
      limits: limitUpdate(limits),
      ...(restart === undefined ? {} : { restart: decodeFlag(flags, 'restart', restart, parseRestart) }),
    };
    return eachName(context, names, async (container) => {
      await context.ask('update', { container, update });
      return undefined;
    });
  },
});
