import type { CommandContext } from '../command.ts';

/** The two times of a lazy start, told on standard error when the container has ended: first output, and everything there. */
export function watchLazyStart(context: CommandContext, image: string): { report(): Promise<void> } {
  const began = performance.now();
  let first: number | undefined;
  const { stdout } = context;
  const write = stdout.write.bind(stdout) as (...words: unknown[]) => boolean;
  function noting(...words: unknown[]): boolean {
    first ??= performance.now();
    return write(...words);
  }
  stdout.write = noting;
  return {
    async report() {
      const { lazyState } = await import('../image/lazy-state.ts');
      const state = lazyState(context, image);
      if (state === undefined) return;
      const output = first === undefined ? 'no output' : `first output after ${seconds(first - began)}`;
      const rest =
        state.took === undefined
          ? `${state.percent} % of the image is local, the rest is being fetched`
          : `everything local after ${seconds(state.took)}`;
      context.stderr.write(`Lazy start: ${output}; ${rest}\n`);
    },
  };
}

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(2)} s`;
}
