/** Which stages a target needs, and what each stands on. */
import { DockerfileError } from '../dockerfile/dockerfile-error.ts';
import type { Dockerfile, Stage } from '../dockerfile/parse-dockerfile.ts';

/** What a `--from` or FROM names, before any registry is asked. */
export type Source =
  { readonly kind: 'stage'; readonly stage: Stage } | { readonly kind: 'other'; readonly name: string };

/** The stage that is asked for: by name, by number, or the last. */
export function findTarget({ stages }: Dockerfile, target: string | undefined): Stage {
  if (target === undefined || target === '') return stages.at(-1)!;
  const found = findStage(stages, target);
  if (found === undefined) throw new Error(`target stage "${target}" could not be found`);
  return found;
}

/** A stage by name (the last of that name) or by number. */
export function findStage(stages: readonly Stage[], name: string): Stage | undefined {
  const named = stages.findLast((stage) => stage.name === name.toLowerCase());
  if (named !== undefined) return named;
  return /^\d+$/.test(name) ? stages[Number(name)] : undefined;
}

/**
 * What a name means to a stage: an earlier stage, or else an image or named context. FROM knows stages by name alone,
 * `--from` also by number.
 */
export function resolveSource(stages: readonly Stage[], user: Stage, name: string, byNumber: boolean): Source {
  const earlier = stages.slice(0, user.index);
  const named = earlier.findLast((stage) => stage.name === name.toLowerCase());
  if (named !== undefined) return { kind: 'stage', stage: named };
  if (byNumber && /^\d+$/.test(name)) {
    const stage = stages[Number(name)];
    if (stage !== undefined && stage.index < user.index) return { kind: 'stage', stage };
    throw new DockerfileError(`invalid from flag value ${name}: invalid stage index ${name}`, user.from.start);
  }
  if (byNumber && stages.some((stage) => stage.index === user.index && stage.name === name.toLowerCase())) {
    throw new DockerfileError(`circular dependency detected on stage: ${name}`, user.from.start);
  }
  return { kind: 'other', name };
}

/** The target and every stage that it needs, directly or by others, in the order of the file. */
export function neededStages(target: Stage, dependencies: (stage: Stage) => readonly Stage[]): readonly Stage[] {
  const needed = new Set<Stage>();
  const waiting = [target];
  for (let stage = waiting.pop(); stage !== undefined; stage = waiting.pop()) {
    if (needed.has(stage)) continue;
    needed.add(stage);
    waiting.push(...dependencies(stage));
  }
  return [...needed].sort((a, b) => a.index - b.index);
}
