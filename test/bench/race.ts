import { output } from '../helpers/command.ts';

export interface Contestant {
  readonly name: string;
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Run before each round, outside the time taken. */
  readonly before?: () => Promise<void>;
}

/** Name -> the times of its rounds in milliseconds, in the order they were run. */
export type Times = ReadonlyMap<string, readonly number[]>;

/**
 * Runs the commands in turn, round after round, so that what else the machine does weighs on all alike. Two rounds
 * before the first that counts warm everything up. A command that fails ends the race.
 */
export async function race(contestants: readonly Contestant[], rounds: number): Promise<Times> {
  const times = new Map(contestants.map(({ name }) => [name, [] as number[]]));
  for (let round = -2; round < rounds; round++) {
    for (const { name, command, env, before } of contestants) {
      await before?.();
      const [file, ...args] = command as [string, ...string[]];
      const started = performance.now();
      await output(file, args, { env, timeout: 300_000 });
      if (round >= 0) times.get(name)!.push(performance.now() - started);
    }
  }
  return times;
}

/** @param share 0 is the minimum, 0.5 the median */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const position = (sorted.length - 1) * share;
  const [below, above] = [sorted[Math.floor(position)]!, sorted[Math.ceil(position)]!];
  return below + (above - below) * (position - Math.floor(position));
}

/** Prints minimum, first quartile and median of each, and the first one's ratio to each of the others. */
export function printComparison(title: string, times: Times): void {
  const rows = [...times].map(([name, values]) => ({
    name,
    shares: [0, 0.25, 0.5].map((each) => quantile(values, each)),
  }));
  const rounds = Math.max(...[...times.values()].map(({ length }) => length));
  console.log(`${title} (${rounds} interleaved rounds, ms)`);
  console.log(['', 'min', 'p25', 'median'].map(cell).join(''));
  for (const { name, shares } of rows) console.log([name, ...shares.map((each) => each.toFixed(0))].map(cell).join(''));
  const [first, ...others] = rows;
  for (const { name, shares } of others) {
    const ratios = shares.map((each, index) => (first!.shares[index]! / each).toFixed(2));
    console.log([`${first!.name} / ${name}`, ...ratios].map(cell).join(''));
  }
}

function cell(text: string, column: number): string {
  return column === 0 ? text.padEnd(18) : text.padStart(9);
}
