/** The instructions of the language, parsed. Words stay as they are written: variables are expanded when a build runs. */
import type { Heredoc } from './heredoc.ts';
import type { Position } from './dockerfile-error.ts';

/** In the shell's form, or as a list of arguments. */
export type Command =
  { readonly form: 'shell'; readonly script: string } | { readonly form: 'exec'; readonly args: readonly string[] };

export interface KeyValue {
  readonly key: string;
  readonly value: string;
  /** `ENV name value`: deprecated. */
  readonly legacy?: true;
}

export interface Argument {
  readonly key: string;
  readonly value: string | undefined;
}

export interface From {
  readonly kind: 'from';
  readonly image: string;
  readonly platform: string | undefined;
  readonly name: string | undefined;
  /** `as`, as it is written. */
  readonly asKeyword: string | undefined;
}

export interface Run {
  readonly kind: 'run';
  readonly command: Command;
  readonly heredocs: readonly Heredoc[];
  /** Values of `--mount`, in their order. */
  readonly mounts: readonly string[];
  readonly network: 'default' | 'none' | 'host';
  readonly security: 'sandbox' | 'insecure';
}

/** COPY, and ADD, which also knows URLs, repositories and archives. */
interface CopyFields {
  readonly sources: readonly string[];
  /** Here-documents that stand for files. */
  readonly contents: readonly Heredoc[];
  readonly destination: string;
  readonly from: string | undefined;
  readonly chown: string | undefined;
  readonly chmod: string | undefined;
  readonly link: boolean;
  readonly parents: boolean;
  readonly excludes: readonly string[];
  readonly checksum: string | undefined;
  readonly keepGitDir: boolean;
  /** ADD's: undefined leaves it to the source. */
  readonly unpack: boolean | undefined;
}

export type Copy = Of<'copy' | 'add', CopyFields>;

/** One member of the union for each kind, so that a kind tells the rest. */
type Of<Kind extends string, Fields> = { [K in Kind]: { readonly kind: K } & Fields }[Kind];

export interface Healthcheck {
  readonly kind: 'healthcheck';
  /** `NONE`, or the command. */
  readonly test: 'NONE' | Command;
  /** Nanoseconds; 0: inherit. */
  readonly interval: number;
  readonly timeout: number;
  readonly startPeriod: number;
  readonly startInterval: number;
  readonly retries: number;
}

export type InstructionBody =
  | From
  | Run
  | Copy
  | Healthcheck
  | { readonly kind: 'arg'; readonly args: readonly Argument[] }
  | Of<'env' | 'label', { readonly pairs: readonly KeyValue[] }>
  | Of<'cmd' | 'entrypoint', { readonly command: Command }>
  | { readonly kind: 'shell'; readonly args: readonly string[] }
  | { readonly kind: 'expose'; readonly ports: readonly string[] }
  | { readonly kind: 'volume'; readonly paths: readonly string[] }
  | Of<'user' | 'workdir' | 'stopsignal' | 'maintainer', { readonly value: string }>
  | { readonly kind: 'onbuild'; readonly trigger: string };

export type Instruction = InstructionBody & {
  /** As written, joined to one line, without here-documents: what the display and the history show. */
  readonly text: string;
  readonly keyword: string;
  readonly start: Position;
  readonly endLine: number;
};

export type InstructionOf<Kind extends Instruction['kind']> = Extract<Instruction, { readonly kind: Kind }>;
