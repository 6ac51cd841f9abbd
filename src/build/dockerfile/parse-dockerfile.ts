/** A Dockerfile's text -> its stages. Pure: nothing is looked up, no variable has a value yet. */
import { parseDirectives, type Directives } from './directives.ts';
import { DockerfileError } from './dockerfile-error.ts';
import type { Instruction, InstructionOf } from './instruction.ts';
import { logicalLines, splitLines } from './logical-lines.ts';
import { parseInstruction } from './parse-instruction.ts';

export interface Stage {
  readonly index: number;
  /** Lower-case, as stages are found; undefined where it has none. */
  readonly name: string | undefined;
  readonly from: InstructionOf<'from'>;
  readonly instructions: readonly Instruction[];
}

export interface Dockerfile {
  readonly directives: Directives;
  /** ARGs before the first FROM: the scope of FROM lines. */
  readonly globalArgs: readonly InstructionOf<'arg'>[];
  readonly stages: readonly Stage[];
  /** The file's lines, for excerpts. */
  readonly lines: readonly string[];
  /** Where a continued instruction has blank lines in it. */
  readonly emptyContinuations: readonly number[];
}

export function parseDockerfile(source: string): Dockerfile {
  const lines = splitLines(source);
  const directives = parseDirectives(lines);
  const globalArgs: InstructionOf<'arg'>[] = [];
  const stages: (Stage & { instructions: Instruction[] })[] = [];
  const emptyContinuations: number[] = [];
  for (const line of logicalLines(lines, directives.escape)) {
    emptyContinuations.push(...line.emptyContinuations);
    const instruction = parseInstruction(line, directives.escape);
    if (instruction.kind === 'from') {
      stages.push({ index: stages.length, name: instruction.name?.toLowerCase(), from: instruction, instructions: [] });
    } else if (stages.length > 0) {
      stages.at(-1)!.instructions.push(instruction);
    } else if (instruction.kind === 'arg') {
      globalArgs.push(instruction);
    } else {
      throw new DockerfileError('no build stage in current context', instruction.start, instruction.endLine);
    }
  }
  if (stages.length === 0) {
    const message = globalArgs.length === 0 ? 'file with no instructions' : 'dockerfile contains no stages to build';
    throw new DockerfileError(message, { line: 1, column: 1 });
  }
  return { directives, globalArgs, stages, lines, emptyContinuations };
}

/** The instructions of a base image's ONBUILD triggers, at the place of the FROM that brings them in. */
export function parseTriggers(triggers: readonly string[], from: InstructionOf<'from'>): Instruction[] {
  return triggers.map((trigger) => {
    try {
      const [line] = logicalLines(splitLines(trigger), '\\');
      if (line === undefined) throw new DockerfileError('it is empty', from.start);
      const instruction = parseInstruction(line, '\\');
      if (instruction.kind === 'from' || instruction.kind === 'onbuild' || instruction.kind === 'maintainer') {
        throw new DockerfileError(`${instruction.keyword} isn't allowed as an ONBUILD trigger`, from.start);
      }
      return { ...instruction, start: from.start, endLine: from.endLine };
    } catch (error) {
      if (!(error instanceof DockerfileError)) throw error;
      throw new DockerfileError(
        `ONBUILD trigger "${trigger}" of ${from.image}: ${error.message}`,
        from.start,
        from.endLine,
      );
    }
  });
}
