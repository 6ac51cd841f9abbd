import { EngineError } from '../../engine/engine-error.ts';
import { followLog } from '../../engine/follow-log.ts';
import { LogReader } from '../../engine/log-reader.ts';
import type { Chunk, StreamName } from '../../engine/log-segments.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import { type CommandContext, defineCommand } from '../command.ts';
import { trueContainer } from '../container/true-records.ts';
import { exitCode } from '../container/foreground.ts';
import type { Flag, FlagValues } from '../flags/flag.ts';
import { LastLines, type LineChoice, LogLines, type Piece } from '../log/log-lines.ts';
import { parseTimeBound } from '../log/time-bound.ts';
import { messageOf } from '../report-error.ts';

const TIME_HELP = '(e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)';

const flags = {
  details: { kind: 'boolean', help: 'Show extra details provided to logs', unsupported: 'the log has none' },
  follow: { kind: 'boolean', short: 'f', help: 'Follow log output' },
  since: { kind: 'text', help: `Show logs since timestamp ${TIME_HELP}` },
  tail: { kind: 'text', short: 'n', preset: 'all', help: 'Number of lines to show from the end of the logs' },
  timestamps: { kind: 'boolean', short: 't', help: 'Show timestamps' },
  until: { kind: 'text', help: `Show logs before a timestamp ${TIME_HELP}` },
} as const satisfies Record<string, Flag>;

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER',
  summary: 'Fetch the logs of a container',
  flags,
  args: [1, 1],
  async run(context, values, [name]) {
    const choice = lineChoice(values, context.now);
    const tail = parseTail(values.tail);
    const { folder, config, state } = await trueContainer(context, name!);
    if (config.request.log?.driver === 'none') {
      throw new EngineError('UNSUPPORTED', 'configured logging driver does not support reading');
    }
    using log = LogReader.open(folder);
    if (log === undefined) return 0;
    const lines = new LogLines(choice);
    function print(chunk: Chunk): Promise<void> {
      return writePieces(context, lines.pieces(chunk));
    }
    if (tail === undefined) for (const chunk of log.read()) await print(chunk);
    else await writePieces(context, lastPieces(lines, log.read(), tail));
    if (!values.follow || state.status !== 'running') return 0;
    const stop = new AbortController();
    const ended = exitCode(context, config.id).finally(() => stop.abort());
    await followLog(folder, log, stop.signal, print);
    await ended;
    return 0;
  },
});

function lineChoice({ since, until, timestamps }: FlagValues<typeof flags>, now: Date): LineChoice {
  function bound(name: string, text: string | undefined): number | undefined {
    try {
      return text === undefined ? undefined : parseTimeBound(text, now);
    } catch (error) {
      throw new InvalidInput(`invalid value for "${name}": ${messageOf(error)}`);
    }
  }
  return { since: bound('since', since), until: bound('until', until), timestamps };
}

/** Undefined: all. */
function parseTail(text: string): number | undefined {
  if (text === 'all' || /^-\d+$/.test(text)) return undefined;
  if (!/^\d{1,9}$/.test(text)) {
    throw new InvalidInput(`invalid value for "tail": "${text}" is neither a number of lines nor "all"`);
  }
  return Number(text);
}

function lastPieces(lines: LogLines, chunks: Iterable<Chunk>, count: number): Piece[] {
  const last = new LastLines(count);
  for (const chunk of chunks) for (const piece of lines.pieces(chunk)) last.add(piece);
  return last.pieces;
}

/** Writes neighbours of one stream at once, up to this many bytes. */
const BLOCK = 1 << 16;

async function writePieces(context: CommandContext, pieces: Iterable<Piece>): Promise<void> {
  let [stream, block, size]: [StreamName, Buffer[], number] = ['stdout', [], 0];
  for (const piece of pieces) {
    if (piece.stream !== stream || size >= BLOCK) {
      await write(context, stream, block);
      [stream, block, size] = [piece.stream, [], 0];
    }
    block.push(piece.data);
    size += piece.data.length;
  }
  await write(context, stream, block);
}

/** Waits where the reader is slow, so that a long log is never all in memory. */
async function write(context: CommandContext, stream: StreamName, block: readonly Buffer[]): Promise<void> {
  const output = context[stream];
  if (block.length > 0 && !output.write(Buffer.concat(block))) {
    await new Promise((resolve) => output.once('drain', resolve));
  }
}
