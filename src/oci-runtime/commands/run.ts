import { resolve } from 'node:path';
import { closeSync } from 'node:fs';
import { runtimeCommand } from '../command.ts';
import { connectConsole } from '../launch/console.ts';
import { createContainer } from '../launch/create-container.ts';
import { readConfig } from '../launch/bundle.ts';
import { startContainer } from '../launch/start-container.ts';
import { makeSocketPair } from '../../sys/pipe.ts';
import { receiveWithFds } from '../../sys/fd-passing.ts';
import { LAUNCH_FLAGS } from './create.ts';
import { removeContainer } from './delete.ts';

/** What happens after the start, nobody reports. */
const NO_ACTIONS = { action: () => 'watch the container' };

export const run = runtimeCommand({
  usage: 'run [--detach] [--bundle DIR] ID',
  flags: {
    ...LAUNCH_FLAGS,
    detach: { kind: 'boolean', short: 'd', help: 'do not wait for the container' },
    keep: { kind: 'boolean', help: 'do not delete the container when it has ended' },
    'no-subreaper': { kind: 'boolean', help: 'ignored', hidden: true },
  },
  args: [1, 1],
  async run({ surroundings, args: [id = ''], flags }) {
    const bundle = resolve(flags.bundle);
    const foreground = !flags.detach;
    const terminal = readConfig(`${bundle}/config.json`).process?.terminal === true;
    const engines = connectConsole(flags['console-socket']);
    const [ours, theirs] = foreground && terminal && engines === undefined ? makeSocketPair() : [];
    const container = await createContainer(surroundings, {
      id,
      bundle,
      pidFile: flags['pid-file'],
      console: engines ?? theirs,
      noPivot: flags['no-pivot'],
      noNewKeyring: flags['no-new-keyring'],
      preserveFds: flags['preserve-fds'] ?? 0,
      foreground,
    });
    for (const fd of [engines, theirs]) if (fd !== undefined) closeSync(fd);
    const { folder, record, process } = container;
    const master = ours === undefined ? undefined : receiveWithFds(ours, 1).fds[0];
    try {
      await startContainer(folder, record);
    } catch (error) {
      await removeContainer(folder, record);
      throw error;
    }
    if (!foreground) return 0;
    const { attend } = await import('../launch/foreground.ts');
    const status = await attend(process, record.init!.pid, master, NO_ACTIONS);
    if (!flags.keep) await removeContainer(folder, record);
    return status;
  },
});
