import { parseRestart } from '../../oci/options/restart.ts';
import { ANY, defineCommand } from '../command.ts';
import { CONTAINER_FLAGS, LIMIT_FLAGS, RESTART_FLAG } from '../container/container-flags.ts';
import { limitUpdate } from '../container/resource-limits.ts';
import { storageUpdate } from '../container/storage-options.ts';
import { eachName } from '../each-name.ts';
import type { Flag } from '../flags/flag.ts';
import { decodeFlag } from '../flags/parse-flags.ts';
import { UsageError } from '../flags/usage-error.ts';

const flags = {
  ...LIMIT_FLAGS,
  restart: RESTART_FLAG,
  'storage-opt': {
    ...CONTAINER_FLAGS['storage-opt'],
    help: 'Quota of a FUSE writable layer: size=BYTES, inodes=NUMBER',
  },
} as const satisfies Record<string, Flag>;

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Update configuration of one or more containers',
  flags,
  args: [1, ANY],
  run(context, values, names) {
    if (Object.values(values).every((value) => value === undefined || value.length === 0)) {
      throw new UsageError('you must provide one or more flags when using this command');
    }
    const { restart, 'storage-opt': storage, ...limits } = values;
    const update = {
      limits: limitUpdate(limits),
      ...(storage.length === 0 ? {} : { storage: storageUpdate(storage) }),
      ...(restart === undefined ? {} : { restart: decodeFlag(flags, 'restart', restart, parseRestart) }),
    };
    return eachName(context, names, async (container) => {
      await context.ask('update', { container, update });
      return undefined;
    });
  },
});
