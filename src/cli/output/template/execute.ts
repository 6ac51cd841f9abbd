import { FUNCTIONS } from './functions.ts';
import { parseTemplate } from './parse.ts';
import type { Command, Node, Operand, Pipeline } from './syntax.ts';
import { TemplateError } from './template-error.ts';
import { describe, field, isList, isMap, isTrue, show, type Value } from './value.ts';

/** A template made ready: give it data, get text. Throws TemplateError. */
export function compileTemplate(text: string): (data: Value) => string {
  const nodes = parseTemplate(text);
  return (data) => {
    const output: string[] = [];
    execute(nodes, data, new Scope(undefined, { '': data }), output);
    return output.join('');
  };
}

/** Variables by name without `$`; the empty name is the whole data. */
class Scope {
  readonly #outer: Scope | undefined;
  readonly #variables: Map<string, Value>;

  constructor(outer: Scope | undefined, variables: Readonly<Record<string, Value>> = {}) {
    this.#outer = outer;
    this.#variables = new Map(Object.entries(variables));
  }

  get(name: string): Value {
    if (this.#variables.has(name)) return this.#variables.get(name);
    if (this.#outer === undefined) throw new TemplateError(`undefined variable "$${name}"`);
    return this.#outer.get(name);
  }

  declare(name: string, value: Value): void {
    this.#variables.set(name, value);
  }

  assign(name: string, value: Value): void {
    if (this.#variables.has(name)) this.#variables.set(name, value);
    else if (this.#outer === undefined) throw new TemplateError(`undefined variable "$${name}"`);
    else this.#outer.assign(name, value);
  }
}

/** Why a list of nodes ended. */
type Outcome = 'done' | 'break' | 'continue';

function execute(nodes: readonly Node[], dot: Value, scope: Scope, output: string[]): Outcome {
  for (const node of nodes) {
    const outcome = executeOne(node, dot, scope, output);
    if (outcome !== 'done') return outcome;
  }
  return 'done';
}

function executeOne(node: Node, dot: Value, scope: Scope, output: string[]): Outcome {
  switch (node.kind) {
    case 'text':
      output.push(node.text);
      return 'done';
    case 'action': {
      const value = evaluate(node.pipe, dot, scope);
      if (node.pipe.variables.length === 0) output.push(show(value));
      return 'done';
    }
    case 'if':
    case 'with': {
      const inner = new Scope(scope);
      const value = evaluate(node.pipe, dot, inner);
      if (!isTrue(value)) return execute(node.otherwise, dot, inner, output);
      return execute(node.body, node.kind === 'with' ? value : dot, inner, output);
    }
    case 'range':
      return range(node, dot, scope, output);
    default:
      return node.kind;
  }
}

function range(node: Node & { kind: 'range' | 'if' | 'with' }, dot: Value, scope: Scope, output: string[]): Outcome {
  const { pipe, body, otherwise } = node;
  const value = evaluate({ ...pipe, variables: [] }, dot, scope);
  const entries = entriesOf(value);
  if (entries.length === 0) return execute(otherwise, dot, new Scope(scope), output);
  for (const [key, element] of entries) {
    const inner = new Scope(scope);
    const [first, second] = pipe.variables;
    if (second !== undefined) inner.declare(second, element);
    if (first !== undefined) inner.declare(first, second === undefined ? element : key);
    if (execute(body, element, inner, output) === 'break') break;
  }
  return 'done';
}

/** Maps are walked in the order of their keys. */
function entriesOf(value: Value): (readonly [Value, Value])[] {
  if (isList(value)) return value.map((element, i) => [i, element] as const);
  if (isMap(value)) return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  if (value === null || value === undefined) return [];
  if (typeof value === 'number' && Number.isInteger(value))
    return Array.from({ length: value }, (_, i) => [i, i] as const);
  throw new TemplateError(`range can't iterate over a value of type ${describe(value)}`);
}

function evaluate(pipe: Pipeline, dot: Value, scope: Scope): Value {
  let value: Value;
  for (const [i, command] of pipe.commands.entries()) value = call(command, dot, scope, i === 0 ? [] : [value]);
  for (const name of pipe.variables) {
    if (pipe.assigns) scope.assign(name, value);
    else scope.declare(name, value);
  }
  return value;
}

/** @param piped what the command before has given: the last argument */
function call(command: Command, dot: Value, scope: Scope, piped: readonly Value[]): Value {
  const [first, ...rest] = command.operands as [Operand, ...Operand[]];
  if (first.kind !== 'function') {
    const value = operand(first, dot, scope);
    if (typeof value === 'function') return value(...rest.map((each) => operand(each, dot, scope)), ...piped);
    if (rest.length === 0 && piped.length === 0) return value;
    throw new TemplateError("can't give argument to non-function", command.line);
  }
  const { args, call: run } = FUNCTIONS[first.name]!;
  const given = rest.length + piped.length;
  if (given < args[0] || given > args[1]) {
    const want = args[1] === Number.POSITIVE_INFINITY ? `at least ${args[0]}` : String(args[0]);
    throw new TemplateError(`wrong number of args for ${first.name}: want ${want} got ${given}`, command.line);
  }
  // As in Go since 1.18, `and` and `or` look no further than they have to.
  if (first.name === 'and' || first.name === 'or') {
    let value: Value;
    for (const each of rest) {
      value = operand(each, dot, scope);
      if (isTrue(value) === (first.name === 'or')) return value;
    }
    return piped.length > 0 ? piped[0] : value;
  }
  return run(...rest.map((each) => operand(each, dot, scope)), ...piped);
}

function operand(node: Operand, dot: Value, scope: Scope): Value {
  switch (node.kind) {
    case 'literal':
      return node.value;
    case 'function':
      return call({ operands: [node], line: 1 }, dot, scope, []);
    case 'path': {
      const { from, fields } = node;
      const start =
        from.kind === 'dot'
          ? dot
          : from.kind === 'variable'
            ? scope.get(from.name)
            : evaluate(from.pipe, dot, new Scope(scope));
      const path = (from.kind === 'variable' ? `$${from.name}` : '') + fields.map((name) => `.${name}`).join('');
      return fields.reduce<Value>((value, name) => field(value, name, path), start);
    }
  }
}
