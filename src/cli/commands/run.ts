import { ANY, type CommandContext, defineCommand } from '../command.ts';
import { CONTAINER_FLAGS, RUN_FLAGS } from '../container/container-flags.ts';
import { containerRequest } from '../container/container-request.ts';
import { consoleSize } from '../container/console-size.ts';
import { claimCidFile } from '../container/cid-file.ts';
import { checkTerminal, chooseStreams, exitCode, stayAttached } from '../container/foreground.ts';
import { SignalProxy } from '../container/signal-proxy.ts';
import { watchLazyStart } from '../container/lazy-start.ts';
import { withImage } from '../container/with-image.ts';
import type { FlagValues } from '../flags/flag.ts';
import { UsageError } from '../flags/usage-error.ts';
import { ENGINE_FAILURE, PROGRAM_FAILURES } from '../report-error.ts';
import type { ContainerRequest } from '../../engine/container.ts';

const flags = { ...CONTAINER_FLAGS, ...RUN_FLAGS };
type Flags = FlagValues<typeof flags>;

export const command = defineCommand({
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create and run a new container from an image',
  flags,
  args: [0, ANY],
  interspersed: false,
  failure: ENGINE_FAILURE,
  failures: PROGRAM_FAILURES,
  async run(context, flags, args) {
    if (flags.detach && flags.attach.length > 0) {
      throw new UsageError('conflicting options: cannot specify both --attach and --detach');
    }
    const request = containerRequest(flags, args, context);
    if (flags['dry-run']) return dryRun(context, flags, request);
    return flags.detach ? runDetached(context, flags, request) : runForeground(context, flags, request);
  },
});

async function runDetached(context: CommandContext, flags: Flags, request: ContainerRequest): Promise<number> {
  using cidFile = claimCidFile(flags.cidfile, context.cwd);
  const { id, warnings } = await withImage(context, imageOptions(flags, request), () =>
    context.ask('run', { request, wait: false }),
  );
  for (const warning of warnings) context.complain(`WARNING: ${warning}`);
  cidFile?.write(id);
  context.print(id);
  return 0;
}

async function runForeground(context: CommandContext, flags: Flags, request: ContainerRequest): Promise<number> {
  const streams = chooseStreams(flags.attach, flags.interactive);
  checkTerminal(context, streams.stdin, flags.tty);
  using cidFile = claimCidFile(flags.cidfile, context.cwd);
  let signals: SignalProxy | undefined;
  const lazy = flags.lazy ? watchLazyStart(context, request.image) : undefined;
  try {
    const answer = await withImage(context, imageOptions(flags, request), () => {
      // Not before: while an image is pulled, a signal ends us.
      signals = flags['sig-proxy'] ? new SignalProxy() : undefined;
      return context.open('run', { request, wait: true, ...consoleSize(flags.tty, context) });
    });
    const { id, logStart, warnings } = answer.result;
    for (const warning of warnings) context.complain(`WARNING: ${warning}`);
    cidFile?.write(id);
    return await stayAttached(context, {
      id,
      streams,
      tty: flags.tty,
      from: logStart,
      detachKeys: flags['detach-keys'],
      signals,
      ended: exitCode(context, id, answer),
      release: () => answer.close(),
    });
  } finally {
    signals?.[Symbol.dispose]();
    await lazy?.report();
  }
}

async function dryRun(context: CommandContext, flags: Flags, request: ContainerRequest): Promise<number> {
  const { spec, plan } = await withImage(context, imageOptions(flags, request), () =>
    context.ask('dryRun', { request }),
  );
  context.print(JSON.stringify({ spec, plan }, undefined, 2));
  return 0;
}

function imageOptions({ pull, platform, quiet, lazy }: Flags, { image }: ContainerRequest) {
  return { image, pull, platform, quiet, lazy };
}
