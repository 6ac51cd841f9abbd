import { EngineError } from '../../engine/engine-error.ts';
import { defineCommand } from '../command.ts';
import { checkTerminal, exitCode, stayAttached } from '../container/foreground.ts';
import { trueContainer } from '../container/true-records.ts';
import { SignalProxy } from '../container/signal-proxy.ts';

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER',
  summary: 'Attach local standard input, output, and error streams to a running container',
  flags: {
    'detach-keys': { kind: 'text', help: 'Override the key sequence for detaching a container' },
    'no-stdin': { kind: 'boolean', help: 'Do not attach STDIN' },
    'sig-proxy': { kind: 'boolean', preset: true, help: 'Proxy all received signals to the process' },
  },
  args: [1, 1],
  async run(context, flags, [name]) {
    const { config, state } = await trueContainer(context, name!);
    if (state.status !== 'running') {
      throw new EngineError('CONFLICT', 'You cannot attach to a stopped container, start it first');
    }
    const tty = config.request.options.tty === true;
    const stdin = config.request.openStdin && !flags['no-stdin'];
    checkTerminal(context, stdin, tty);
    using signals = flags['sig-proxy'] ? new SignalProxy() : undefined;
    return await stayAttached(context, {
      id: config.id,
      streams: { stdin, stdout: true, stderr: true },
      tty,
      detachKeys: flags['detach-keys'],
      signals,
      ended: exitCode(context, config.id),
    });
  },
});
