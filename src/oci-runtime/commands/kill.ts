import { constants } from 'node:os';
import { runtimeCommand } from '../command.ts';
import { containerProcesses } from '../container-processes.ts';
import { ContainerFolder, statusOf } from '../container-record.ts';
import { killQuietly } from '../kill-quietly.ts';
import { RuntimeError } from '../runtime-error.ts';

export const kill = runtimeCommand({
  usage: 'kill [--all] ID [SIGNAL]',
  flags: { all: { kind: 'boolean', short: 'a', help: 'signal every process of the container' } },
  args: [1, 2],
  run({ surroundings, args: [id = '', name = 'SIGTERM'], flags }) {
    const signal = signalNumber(name);
    const folder = new ContainerFolder(surroundings.root, id);
    const record = folder.read();
    const status = statusOf(folder, record);
    if (flags.all) {
      for (const pid of containerProcesses(record)) killQuietly(pid, signal);
      return 0;
    }
    if (status === 'stopped' || record.init === undefined) throw new RuntimeError('container not running');
    process.kill(record.init.pid, signal);
    return 0;
  },
});

/** A number, or a name with or without SIG; RTMIN+n as kill(1) has it. */
export function signalNumber(name: string): number {
  if (/^\d+$/.test(name) && Number(name) <= 64) return Number(name);
  const upper = name.toUpperCase().replace(/^SIG/, '');
  const [, base, offset = '+0'] = /^(RTMIN|RTMAX)([+-]\d+)?$/.exec(upper) ?? [];
  if (base !== undefined) return (base === 'RTMIN' ? 34 : 64) + Number(offset);
  const number = constants.signals[`SIG${upper}` as NodeJS.Signals] as number | undefined;
  if (number === undefined) throw new RuntimeError(`unknown signal ${JSON.stringify(name)}`);
  return number;
}
