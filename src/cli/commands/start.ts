import { findContainer } from '../../engine/container.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { ANY, type CommandContext, defineCommand } from '../command.ts';
import { consoleSize } from '../container/console-size.ts';
import { checkTerminal, exitCode, stayAttached } from '../container/foreground.ts';
import { SignalProxy } from '../container/signal-proxy.ts';
import { eachName } from '../each-name.ts';

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Start one or more stopped containers',
  flags: {
    attach: { kind: 'boolean', short: 'a', help: 'Attach STDOUT/STDERR and forward signals' },
    checkpoint: { kind: 'text', help: 'Restore from this checkpoint', unsupported: 'yet' },
    'checkpoint-dir': { kind: 'text', help: 'Use a custom checkpoint storage directory', unsupported: 'yet' },
    'detach-keys': { kind: 'text', help: 'Override the key sequence for detaching a container' },
    interactive: { kind: 'boolean', short: 'i', help: "Attach container's STDIN" },
    'sig-proxy': { kind: 'boolean', preset: true, hidden: true, help: 'Proxy received signals to the process' },
  },
  args: [1, ANY],
  async run(context, flags, names) {
    if (!flags.attach && !flags.interactive) {
      return eachName(context, names, async (container) => {
        await context.ask('start', { container, wait: false });
        return undefined;
      });
    }
    if (names.length > 1) throw new InvalidInput('you cannot start and attach multiple containers at once');
    return startAttached(context, flags, names[0]!);
  },
});

interface AttachedStart {
  readonly interactive: boolean;
  readonly 'detach-keys': string | undefined;
  readonly 'sig-proxy': boolean;
}

async function startAttached(context: CommandContext, flags: AttachedStart, name: string): Promise<number> {
  const { config } = findContainer(context.paths(), name);
  const tty = config.request.options.tty === true;
  const stdin = flags.interactive && config.request.openStdin;
  checkTerminal(context, stdin, tty);
  using signals = flags['sig-proxy'] ? new SignalProxy() : undefined;
  const answer = await context.open('start', { container: config.id, wait: true, ...consoleSize(tty, context) });
  return await stayAttached(context, {
    id: config.id,
    streams: { stdin, stdout: true, stderr: true },
    tty,
    from: answer.result.logStart,
    detachKeys: flags['detach-keys'],
    signals,
    ended: exitCode(context, config.id, answer),
    release: () => answer.close(),
  });
}
