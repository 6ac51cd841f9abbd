/** Carries out the instructions of one stage, one after the other. */
import { DockerfileError } from '../dockerfile/dockerfile-error.ts';
import type { Instruction, InstructionOf } from '../dockerfile/instruction.ts';
import { parseTriggers, type Stage } from '../dockerfile/parse-dockerfile.ts';
import { ensureEmulator } from '../../engine/emulator.ts';
import { formatPlatform } from '../../image/platform.ts';
import { chainId } from '../../image/store/merged-tree.ts';
import { storeLayer } from '../../image/layer/store-layer.ts';
import type { StepRecord } from '../cache/step-cache.ts';
import { stepKey } from '../cache/step-cache.ts';
import { cachedStep, createdAt, type BuildSession } from '../session.ts';
import { withTree, type ChainLayer } from '../source/layer-chain.ts';
import type { FileTree } from '../source/file-tree.ts';
import { byteString } from '../source/tree-view.ts';
import { CopyPlan } from '../steps/copy-files.ts';
import { copyStep } from '../steps/copy-step.ts';
import { prepareMounts } from '../steps/run-mounts.ts';
import { runCommand } from '../steps/run-command.ts';
import { runStep } from '../steps/run-step.ts';
import { addHistory, type ImageDraft } from './image-draft.ts';
import { applyMetadata, workingDirectory, type StageNotes } from './metadata-instructions.ts';
import type { StageResult } from './stage-result.ts';
import { Variables, type VariableOptions } from './variables.ts';

export interface StageInput {
  readonly stage: Stage;
  readonly base: StageResult;
  /** `builder 2`: how the display calls it, empty where there is only one. */
  readonly title: string;
  /** Whether FROM counts as a step. */
  readonly countsFrom: boolean;
  readonly variables: VariableOptions;
  /** Finds what `--from` names. */
  findSource(name: string, instruction: Instruction): Promise<FileTree>;
  /** The main context's files. */
  context(): Promise<FileTree>;
}

const STEPS = new Set<Instruction['kind']>(['run', 'copy', 'add', 'workdir']);

export class StageBuilder {
  readonly session: BuildSession;
  readonly input: StageInput;
  readonly draft: ImageDraft;
  readonly variables: Variables;
  readonly mayUseCache: boolean;
  layers: ChainLayer[];
  readonly #notes: StageNotes = { hasOwnCmd: false };
  readonly #instructions: readonly Instruction[];
  /** When the last step was done that took time: what only describes has no time of its own, so that a build from the cache
   * gives the same image. */
  #lastCreated: string;
  #step: number;
  readonly #steps: number;

  constructor(session: BuildSession, input: StageInput) {
    const { stage, base } = input;
    this.session = session;
    this.input = input;
    this.draft = base.draft;
    this.layers = [...base.layers];
    this.variables = new Variables(input.variables, base.draft.config.Env ?? [], base.args);
    const triggers = parseTriggers(base.draft.config.OnBuild ?? [], stage.from);
    delete base.draft.config.OnBuild;
    this.#instructions = [...triggers, ...stage.instructions];
    this.#lastCreated = base.created ?? createdAt(session.request);
    this.#step = input.countsFrom ? 1 : 0;
    this.#steps = this.#step + this.#instructions.filter(({ kind }) => STEPS.has(kind)).length;
    const { noCache, noCacheFilter } = session.request;
    this.mayUseCache = !noCache && !noCacheFilter.some((name) => name === stage.name || name === String(stage.index));
  }

  /** `[builder 2/5] RUN make` */
  stepTitle(text: string, step = ++this.#step): string {
    const { title } = this.input;
    return `[${title === '' ? '' : `${title} `}${step}/${this.#steps}] ${text}`;
  }

  async build(): Promise<StageResult> {
    for (const instruction of this.#instructions) {
      this.session.signal.throwIfAborted();
      try {
        await this.#perform(instruction);
      } catch (error) {
        if (error instanceof DockerfileError || this.session.signal.aborted) throw error;
        throw new DockerfileError((error as Error).message, instruction.start, instruction.endLine, { cause: error });
      }
    }
    const { baseLayers } = this.input.base;
    return {
      layers: this.layers,
      baseLayers,
      draft: this.draft,
      args: this.variables.declared,
      created: this.#lastCreated,
    };
  }

  async #perform(instruction: Instruction): Promise<void> {
    switch (instruction.kind) {
      case 'from':
        return;
      case 'arg':
        this.variables.declare(instruction);
        return this.#note(
          `ARG ${instruction.args.map(({ key }) => argText(key, this.variables.lookup(key))).join(' ')}`,
        );
      case 'run':
        return this.#run(instruction);
      case 'copy':
      case 'add':
        return this.addLayer(await copyStep(this, instruction), instruction.text);
      case 'workdir':
        return this.#workdir(instruction);
      default:
        return this.#note(applyMetadata(instruction, this.draft, this.variables, this.#notes));
    }
  }

  /** What the step made goes on top, and into the history. */
  addLayer({ layer, created }: StepRecord, text: string): void {
    this.#lastCreated = created;
    if (layer !== undefined) this.layers.push({ diffId: layer.diffId, descriptor: layer.descriptor });
    addHistory(this.draft, `${text} # buildkit`, created, layer !== undefined);
  }

  /** The key of the files that are there. */
  get chain(): string {
    return chainId(this.layers.map(({ diffId }) => diffId));
  }

  #note(text: string): void {
    addHistory(this.draft, text, this.#lastCreated, false);
  }

  async #run(instruction: InstructionOf<'run'>): Promise<void> {
    const { session, draft, variables } = this;
    const { request } = session;
    const title = this.stepTitle(instruction.text);
    const events = session.progress.step(title);
    const network = instruction.network === 'default' ? request.network : instruction.network;
    const privileged = instruction.security === 'insecure';
    checkAllowed(session, instruction, privileged);
    const command = runCommand(instruction, draft);
    const mounts = await prepareMounts(this, instruction, events);
    try {
      const declared = variables.arguments();
      const env = [...declared.map(([name, value]) => `${name}=${value}`), ...variables.env];
      const key = stepKey({
        version: 1,
        run: command.args,
        script: command.script?.content,
        chain: this.chain,
        ...{ env, user: draft.config.User ?? '', workdir: draft.config.WorkingDir ?? '/', network, privileged },
        mounts: mounts.key,
        hosts: request.extraHosts,
        platform: formatPlatform(draft.platform),
      });
      const record = await cachedStep(session, events, {
        key,
        mayUseCache: this.mayUseCache,
        description: instruction.text,
        work: async (events) => {
          await ensureEmulator(session.paths, session.holder, draft.platform);
          using ready = await mounts.open(command.script);
          return await runStep(
            session,
            {
              layers: this.layers,
              args: command.args,
              env: [...variables.predefined().map(([name, value]) => `${name}=${value}`), ...env, ...ready.env],
              user: draft.config.User ?? '',
              workdir: draft.config.WorkingDir ?? '/',
              ...{ network, privileged },
              mounts: ready.mounts,
            },
            events,
          );
        },
      });
      const shown =
        declared.length === 0
          ? ''
          : `|${declared.length} ${declared.map(([name, value]) => `${name}=${value}`).join(' ')} `;
      this.addLayer(record, `RUN ${shown}${command.args.join(' ')}`);
    } finally {
      mounts[Symbol.dispose]();
    }
  }

  async #workdir(instruction: InstructionOf<'workdir'>): Promise<void> {
    const { session, draft, variables } = this;
    const path = workingDirectory(variables.expand(instruction.value, instruction), draft.config.WorkingDir);
    draft.config.WorkingDir = path;
    const events = session.progress.step(this.stepTitle(instruction.text));
    const record = await cachedStep(session, events, {
      key: stepKey({ version: 1, workdir: path, chain: this.chain }),
      mayUseCache: this.mayUseCache,
      description: instruction.text,
      work: () => {
        const { layout } = session.store;
        const now = session.request.epoch ?? Math.floor(Date.now() / 1000);
        const entries = withTree(session.store, this.layers, (view) => {
          const plan = new CopyPlan(view, { destination: '/', owner: undefined, mode: undefined, excludes: [], now });
          plan.makeFolder(byteString(path));
          return plan.entries;
        });
        return Promise.resolve(entries.length === 0 ? undefined : storeLayer(layout, entries));
      },
    });
    const { layer, created } = record;
    this.#lastCreated = created;
    if (layer !== undefined) this.layers.push({ diffId: layer.diffId, descriptor: layer.descriptor });
    addHistory(draft, `WORKDIR ${path}`, created, layer !== undefined);
  }
}

function argText(key: string, value: string | undefined): string {
  return value === undefined ? key : `${key}=${value}`;
}

function checkAllowed({ request }: BuildSession, instruction: InstructionOf<'run'>, privileged: boolean): void {
  const needs = [
    ...(privileged ? ['security.insecure'] : []),
    ...(instruction.network === 'host' && request.network !== 'host' ? ['network.host'] : []),
  ].find((each) => !request.allow.has(each));
  if (needs === undefined) return;
  throw new DockerfileError(
    `${needs} is not allowed; permit it by --allow ${needs}`,
    instruction.start,
    instruction.endLine,
  );
}
