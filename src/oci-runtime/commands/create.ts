import { closeSync } from 'node:fs';
import { resolve } from 'node:path';
import { runtimeCommand } from '../command.ts';
import { connectConsole } from '../launch/console.ts';
import { createContainer } from '../launch/create-container.ts';

export const LAUNCH_FLAGS = {
  bundle: { kind: 'text', short: 'b', preset: '.', help: 'folder with config.json and the root file system' },
  'console-socket': { kind: 'text', help: 'unix socket to send the terminal’s master to' },
  'pid-file': { kind: 'text', help: 'file to write the container’s pid to' },
  'no-pivot': { kind: 'boolean', help: 'do not use pivot_root(2): for a root in memory' },
  'no-new-keyring': { kind: 'boolean', help: 'keep the caller’s session keyring' },
  'preserve-fds': { kind: 'integer', help: 'how many file descriptors from 3 on to hand on' },
} as const;

export const create = runtimeCommand({
  usage: 'create [--bundle DIR] ID',
  flags: LAUNCH_FLAGS,
  args: [1, 1],
  async run({ surroundings, args: [id = ''], flags }) {
    const console = connectConsole(flags['console-socket']);
    try {
      await createContainer(surroundings, {
        id,
        bundle: resolve(flags.bundle),
        pidFile: flags['pid-file'],
        console,
        noPivot: flags['no-pivot'],
        noNewKeyring: flags['no-new-keyring'],
        preserveFds: flags['preserve-fds'] ?? 0,
        foreground: false,
      });
      return 0;
    } finally {
      if (console !== undefined) closeSync(console);
    }
  },
});
