import type { ImageRunConfig } from './image-config.ts';
import { InvalidInput } from './invalid-input.ts';

/**
 * The argument vector of a container's first process, by Docker's rules: the arguments after the image's name replace
 * the image's Cmd; `--entrypoint` replaces its Entrypoint and drops its Cmd, and an empty one leaves no entrypoint.
 */
export function resolveCommand(
  image: Pick<ImageRunConfig, 'Entrypoint' | 'Cmd'>,
  args: readonly string[],
  entrypoint?: string,
): string[] {
  const program = entrypoint === undefined ? (image.Entrypoint ?? []) : entrypoint === '' ? [] : [entrypoint];
  const rest = args.length > 0 || entrypoint !== undefined ? args : (image.Cmd ?? []);
  const command = [...program, ...rest];
  if (command.length === 0) throw new InvalidInput('no command specified');
  return command;
}
