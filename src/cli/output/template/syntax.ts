/** A parsed template. */
export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipe: Pipeline }
  | {
      readonly kind: 'if' | 'with' | 'range';
      readonly pipe: Pipeline;
      readonly body: Node[];
      readonly otherwise: Node[];
    }
  | { readonly kind: 'break' | 'continue' };

export interface Pipeline {
  /** Names that the value is given: `$v := …`, for ranges also `$i, $v := …`. */
  readonly variables: readonly string[];
  /** `=` instead of `:=`: the variable is there already. */
  readonly assigns: boolean;
  readonly commands: readonly Command[];
  readonly line: number;
}

/** An operand with arguments: a function's name, or a single value. */
export interface Command {
  readonly operands: readonly Operand[];
  readonly line: number;
}

export type Operand =
  | { readonly kind: 'literal'; readonly value: string | number | boolean | null }
  | { readonly kind: 'function'; readonly name: string }
  /** A value, and the fields followed from it. */
  | { readonly kind: 'path'; readonly from: PathStart; readonly fields: readonly string[] };

type PathStart =
  | { readonly kind: 'dot' }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'pipe'; readonly pipe: Pipeline };
