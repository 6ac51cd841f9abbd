/** What a command's flags are: one table for each command, from which come parsing, types and help. */

interface FlagBase {
  /** One letter. */
  readonly short?: string;
  readonly help: string;
  /** Not shown in the help: an alias, or something that we do not have. */
  readonly hidden?: true;
  /** Docker has it and trun does not: why, or `yet`. Using it is an error that names it. */
  readonly unsupported?: string;
}

export interface BooleanFlag extends FlagBase {
  readonly kind: 'boolean';
  readonly preset?: boolean;
}

export interface TextFlag extends FlagBase {
  readonly kind: 'text';
  /** What the help calls its value: `string`, `bytes`, `decimal`… */
  readonly type?: string;
  readonly preset?: string;
}

export interface IntegerFlag extends FlagBase {
  readonly kind: 'integer';
  /** Shown in the help; an absent flag is undefined all the same. */
  readonly preset?: number;
}

/** May be given several times. */
export interface ListFlag extends FlagBase {
  readonly kind: 'list';
  readonly type?: string;
}

export type Flag = BooleanFlag | TextFlag | IntegerFlag | ListFlag;

/** By long name. */
export type FlagTable = Readonly<Record<string, Flag>>;

type ValueOf<F extends Flag> = F extends BooleanFlag
  ? boolean
  : F extends IntegerFlag
    ? number | undefined
    : F extends ListFlag
      ? readonly string[]
      : F extends { preset: string }
        ? string
        : string | undefined;

/** What the flags of a table have been set to. */
export type FlagValues<T extends FlagTable> = { readonly [Name in keyof T]: ValueOf<T[Name]> };

/** `-m, --memory`, as messages and the help name a flag. */
export function flagTitle(name: string, { short }: Flag): string {
  return short === undefined ? `--${name}` : `-${short}, --${name}`;
}
