/**
 * The variables that a place in a Dockerfile sees. ENV goes before ARG of the same name; a stage sees only the arguments
 * that it declares itself, and those from before the first FROM have their value there as a default.
 */
import { expandWord, expandWords, ExpansionError } from '../dockerfile/expand.ts';
import { DockerfileError } from '../dockerfile/dockerfile-error.ts';
import type { Instruction, InstructionOf } from '../dockerfile/instruction.ts';

/** Known to every RUN without being declared, and part of no cache key. */
const PROXY_ARGUMENTS = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'];

export function isPredefined(name: string): boolean {
  return PROXY_ARGUMENTS.includes(name.toUpperCase()) || name === 'SOURCE_DATE_EPOCH';
}

export interface VariableOptions {
  readonly escape: string;
  /** `--build-arg`. */
  readonly given: ReadonlyMap<string, string>;
  /** Of the place where FROM stands: arguments before it, and what trun itself knows (TARGETPLATFORM…). */
  readonly outer: ReadonlyMap<string, string>;
  readonly onUnset: (name: string, instruction: Instruction) => void;
}

export class Variables {
  readonly #options: VariableOptions;
  readonly #env = new Map<string, string>();
  /** Declared arguments; undefined where one has no value. */
  readonly #args = new Map<string, string | undefined>();

  /** `env`: the base image's, as `NAME=value`. `args`: those that a stage below has declared. */
  constructor(
    options: VariableOptions,
    env: readonly string[] = [],
    args: ReadonlyMap<string, string | undefined> = new Map(),
  ) {
    this.#options = options;
    for (const [name, value] of args) this.#args.set(name, value);
    for (const each of env) {
      const equals = each.indexOf('=');
      if (equals > 0) this.#env.set(each.slice(0, equals), each.slice(equals + 1));
    }
  }

  /** The environment as an image's config has it. */
  get env(): string[] {
    return [...this.#env].map(([name, value]) => `${name}=${value}`);
  }

  get declared(): ReadonlyMap<string, string | undefined> {
    return this.#args;
  }

  setEnv(name: string, value: string): void {
    this.#env.set(name, value);
  }

  /** Arguments that are declared here and have a value: what RUN gets besides the environment. */
  arguments(): [name: string, value: string][] {
    return [...this.#args].flatMap(([name, value]) =>
      value === undefined || this.#env.has(name) ? [] : [[name, value]],
    );
  }

  /** What has been given by --build-arg and is known without being declared. */
  predefined(): [name: string, value: string][] {
    return [...this.#options.given].filter(([name]) => isPredefined(name) && !this.#args.has(name));
  }

  declare(instruction: InstructionOf<'arg'>): void {
    for (const { key, value } of instruction.args) {
      const name = this.expand(key, instruction);
      const preset = value === undefined ? this.#options.outer.get(name) : this.expand(value, instruction);
      this.#args.set(name, this.#options.given.get(name) ?? preset);
    }
  }

  lookup(name: string): string | undefined {
    return this.#env.get(name) ?? this.#args.get(name);
  }

  expand(word: string, instruction: Instruction): string {
    return this.#guard(instruction, () => expandWord(word, this.#expansion(instruction)));
  }

  expandWords(text: string, instruction: Instruction): string[] {
    return this.#guard(instruction, () => expandWords(text, this.#expansion(instruction)));
  }

  /** The content of a here-document, in which quotes stay. */
  expandContent(text: string, instruction: Instruction): string {
    return this.#guard(instruction, () => expandWord(text, { ...this.#expansion(instruction), keepQuotes: true }));
  }

  #expansion(instruction: Instruction) {
    return {
      escape: this.#options.escape,
      lookup: (name: string) => this.lookup(name),
      onUnset: (name: string) => this.#options.onUnset(name, instruction),
    };
  }

  #guard<T>(instruction: Instruction, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof ExpansionError)) throw error;
      const message = `failed to process ${JSON.stringify(instruction.text)}: ${error.message}`;
      throw new DockerfileError(message, instruction.start, instruction.endLine, { cause: error });
    }
  }
}

/** The scope of FROM lines: platforms, and the arguments that stand before the first of them. */
export function outerVariables(
  globals: readonly InstructionOf<'arg'>[],
  automatic: ReadonlyMap<string, string>,
  options: Omit<VariableOptions, 'outer'>,
): Map<string, string> {
  const outer = new Map(automatic);
  const scope = new Variables({ ...options, outer });
  for (const [name, value] of automatic) {
    const given = options.given.get(name);
    outer.set(name, given ?? value);
    scope.setEnv(name, given ?? value);
  }
  for (const instruction of globals) {
    scope.declare(instruction);
    for (const { key } of instruction.args) {
      const value = scope.lookup(key);
      if (value !== undefined) outer.set(key, value);
    }
  }
  return outer;
}
