/** A build for one platform: its stages, each done once, by whoever needs it first. */
import { DockerfileError } from './dockerfile/dockerfile-error.ts';
import type { Instruction } from './dockerfile/instruction.ts';
import { parseRunMount } from './dockerfile/run-mount.ts';
import type { Stage } from './dockerfile/parse-dockerfile.ts';
import { findTarget, neededStages, resolveSource } from './graph/stage-graph.ts';
import { formatPlatform, hostPlatform, parsePlatform, type Platform } from '../image/platform.ts';
import type { BuildSession } from './session.ts';
import { findBaseImage, fullName, type BaseImage } from './source/base-image.ts';
import type { FileTree } from './source/file-tree.ts';
import { copyDraft, draftFromImage, emptyDraft } from './stage/image-draft.ts';
import { platformArguments } from './stage/platform-arguments.ts';
import { StageBuilder } from './stage/stage-builder.ts';
import type { StageResult } from './stage/stage-result.ts';
import { outerVariables, Variables, type VariableOptions } from './stage/variables.ts';

export interface PlatformContexts {
  main(): Promise<FileTree>;
  /** A named one; undefined where there is none of that name. */
  named(name: string): Promise<FileTree | { readonly image: string } | undefined>;
}

export class PlatformBuild {
  readonly #session: BuildSession;
  readonly #platform: Platform;
  readonly #contexts: PlatformContexts;
  readonly #variables: VariableOptions;
  readonly #results = new Map<Stage, Promise<StageResult>>();
  readonly #images = new Map<string, Promise<BaseImage>>();
  readonly #needed: readonly Stage[];
  readonly #target: Stage;
  /** Where several platforms are built at once, the display says which. */
  readonly #label: string;

  constructor(session: BuildSession, platform: Platform, contexts: PlatformContexts) {
    const { dockerfile, request } = session;
    this.#session = session;
    this.#platform = platform;
    this.#contexts = contexts;
    this.#label = request.platforms.length > 1 ? `${formatPlatform(platform)} ` : '';
    const common = {
      escape: dockerfile.directives.escape,
      given: request.buildArgs,
      onUnset: (name: string, instruction: Instruction) => {
        session.warn('UndefinedVar', `Usage of undefined variable '$${name}'`, instruction);
      },
    };
    const automatic = platformArguments(platform, hostPlatform(), request.target ?? 'default');
    this.#variables = { ...common, outer: outerVariables(dockerfile.globalArgs, automatic, common) };
    this.#target = findTarget(dockerfile, request.target);
    this.#needed = neededStages(this.#target, (stage) => this.#dependencies(stage));
  }

  /** Builds the target with all that it needs. */
  async build(): Promise<StageResult> {
    // Stages that nothing hinders begin at once; those that depend on others wait for them.
    const all = this.#needed.map((stage) => this.#result(stage));
    const failed = await Promise.allSettled(all);
    const first =
      failed.find((each) => each.status === 'rejected' && !isAbort(each.reason)) ??
      failed.find((each) => each.status === 'rejected');
    if (first?.status === 'rejected') throw first.reason;
    return this.#result(this.#target);
  }

  #result(stage: Stage): Promise<StageResult> {
    let result = this.#results.get(stage);
    if (result === undefined) {
      result = this.#build(stage);
      this.#results.set(stage, result);
    }
    return result;
  }

  async #build(stage: Stage): Promise<StageResult> {
    const { result: base, countsFrom } = await this.#base(stage);
    const builder = new StageBuilder(this.#session, {
      stage,
      base,
      title: this.#title(stage),
      countsFrom,
      variables: this.#variables,
      findSource: (name, instruction) => this.#findSource(stage, name, instruction),
      context: () => this.#contexts.main(),
    });
    if (countsFrom) {
      const events = this.#session.progress.step(builder.stepTitle(`FROM ${this.#baseName(stage)}`, 1));
      if (base.layers.length > 0) events.cached();
    }
    return builder.build();
  }

  #title(stage: Stage): string {
    const { stages } = this.#session.dockerfile;
    const name = stage.name ?? (stages.length > 1 ? `stage-${stage.index}` : '');
    return `${this.#label}${name}`.trim();
  }

  /** What FROM names, its variables expanded. */
  #baseName(stage: Stage): string {
    const { from } = stage;
    const name = this.#outerScope().expand(from.image, from);
    if (name === '') {
      throw new DockerfileError(`base name (${from.image}) should not be blank`, from.start, from.endLine);
    }
    return name;
  }

  #stagePlatform(stage: Stage): Platform {
    const { from } = stage;
    if (from.platform === undefined) return this.#platform;
    const text = this.#outerScope().expand(from.platform, from);
    if (text === '') return this.#platform;
    try {
      return parsePlatform(text);
    } catch (error) {
      throw new DockerfileError(
        `failed to parse platform ${text}: ${(error as Error).message}`,
        from.start,
        from.endLine,
        { cause: error },
      );
    }
  }

  #outerScope(): Variables {
    const scope = new Variables(this.#variables);
    for (const [name, value] of this.#variables.outer) scope.setEnv(name, value);
    return scope;
  }

  async #base(stage: Stage): Promise<{ result: StageResult; countsFrom: boolean }> {
    const { dockerfile } = this.#session;
    const name = this.#baseName(stage);
    const platform = this.#stagePlatform(stage);
    const source = resolveSource(dockerfile.stages, stage, name, false);
    if (source.kind === 'stage') {
      const below = await this.#result(source.stage);
      return { result: { ...below, draft: copyDraft(below.draft) }, countsFrom: false };
    }
    const named = await this.#contexts.named(name);
    if (named !== undefined && 'kind' in named) {
      throw new DockerfileError(
        `the context ${name} is no image: FROM needs one`,
        stage.from.start,
        stage.from.endLine,
      );
    }
    if (name === 'scratch' && named === undefined) {
      return { result: { layers: [], baseLayers: 0, draft: emptyDraft(platform), args: new Map() }, countsFrom: false };
    }
    const image = await this.#image(named?.image ?? name, platform, stage.from);
    const draft = draftFromImage(image.config);
    const { created } = image.config;
    const result = { layers: image.layers, baseLayers: image.layers.length, draft, args: new Map() };
    return { result: { ...result, ...(created === undefined ? {} : { created }) }, countsFrom: true };
  }

  async #findSource(user: Stage, name: string, instruction: Instruction): Promise<FileTree> {
    const { stages } = this.#session.dockerfile;
    const source = resolveSource(stages, user, name, true);
    if (source.kind === 'stage') return { kind: 'layers', layers: (await this.#result(source.stage)).layers };
    const named = await this.#contexts.named(name);
    if (named !== undefined && 'kind' in named) return named;
    if (name === 'scratch' && named === undefined) return { kind: 'layers', layers: [] };
    const { layers } = await this.#image(named?.image ?? name, this.#platform, instruction);
    return { kind: 'layers', layers };
  }

  /** An image from the store or a registry, once for each name and platform. */
  #image(name: string, platform: Platform, instruction: Instruction): Promise<BaseImage> {
    const key = `${name} ${formatPlatform(platform)}`;
    let image = this.#images.get(key);
    if (image === undefined) {
      image = this.#findImage(name, platform, instruction);
      this.#images.set(key, image);
    }
    return image;
  }

  async #findImage(name: string, platform: Platform, instruction: Instruction): Promise<BaseImage> {
    const { store, request, paths, env, signal, progress } = this.#session;
    const full = fullName(name);
    const events = progress.step(`[${this.#label}internal] load metadata for ${full}`);
    events.begin();
    try {
      const image = await findBaseImage(
        store,
        { name, platform, pull: request.pull, builds: paths.builds, env, signal },
        events,
      );
      events.done();
      this.#session.materials.push({ name: full, platform: formatPlatform(platform), digest: image.digest });
      return image;
    } catch (error) {
      if (signal.aborted) events.cancel();
      else events.fail((error as Error).message);
      const message = `${full}: failed to resolve source metadata for ${full}: ${(error as Error).message}`;
      throw new DockerfileError(message, instruction.start, instruction.endLine, { cause: error });
    }
  }

  /** The stages that a stage names in FROM, --from and mounts. */
  #dependencies(stage: Stage): Stage[] {
    const { stages } = this.#session.dockerfile;
    const found: Stage[] = [];
    function look(name: string, byNumber: boolean): void {
      const source = resolveSource(stages, stage, name, byNumber);
      if (source.kind === 'stage') found.push(source.stage);
    }
    look(this.#baseName(stage), false);
    for (const instruction of stage.instructions) {
      if ((instruction.kind === 'copy' || instruction.kind === 'add') && instruction.from !== undefined)
        look(instruction.from, true);
      if (instruction.kind !== 'run') continue;
      for (const mount of instruction.mounts) {
        // With variables in it, it is known when the stage is built.
        if (mount.includes('$')) continue;
        const parsed = readMount(mount, instruction);
        if ((parsed.type === 'bind' || parsed.type === 'cache') && parsed.from !== undefined) look(parsed.from, true);
      }
    }
    return found;
  }
}

function readMount(text: string, instruction: Instruction) {
  try {
    return parseRunMount(text);
  } catch (error) {
    throw new DockerfileError((error as Error).message, instruction.start, instruction.endLine, { cause: error });
  }
}

function isAbort(error: unknown): boolean {
  return (error as { name?: unknown }).name === 'AbortError';
}
