import type { Command, Node, Operand, Pipeline } from './syntax.ts';
import { FUNCTIONS } from './functions.ts';
import { TemplateError } from './template-error.ts';
import { type Token, type TokenKind, tokenize } from './token.ts';

const CONTROLS = ['if', 'with', 'range'] as const;
const LITERALS: Readonly<Record<string, boolean | null>> = { true: true, false: false, nil: null };

/** Parses a template in Go's text/template language, without definitions of templates. Throws TemplateError. */
export function parseTemplate(text: string): Node[] {
  return new Parser(tokenize(text)).template();
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #line = 1;
  #loops = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  template(): Node[] {
    const { nodes, end } = this.#list();
    if (end !== undefined) throw this.#error(`unexpected {{${end}}}`);
    return nodes;
  }

  /** Nodes up to `{{end}}`, `{{else}}` or the end of the template; `end` says which. */
  #list(): { nodes: Node[]; end: 'end' | 'else' | undefined } {
    const nodes: Node[] = [];
    for (;;) {
      const token = this.#next();
      if (token === undefined) return { nodes, end: undefined };
      if (token.kind === 'text') {
        nodes.push({ kind: 'text', text: token.text });
        continue;
      }
      this.#skipSpace();
      const word = this.#peek()?.kind === 'word' ? this.#peek()!.text : '';
      if (word === 'end') {
        this.#next();
        this.#close();
        return { nodes, end: 'end' };
      }
      if (word === 'else') {
        this.#next();
        return { nodes, end: 'else' };
      }
      nodes.push(this.#action(word));
    }
  }

  #action(word: string): Node {
    const control = CONTROLS.find((each) => each === word);
    if (control !== undefined) {
      this.#next();
      return this.#control(control);
    }
    if (word === 'break' || word === 'continue') {
      this.#next();
      this.#close();
      if (this.#loops === 0) throw this.#error(`{{${word}}} outside {{range}}`);
      return { kind: word };
    }
    const pipe = this.#pipeline('close');
    return { kind: 'action', pipe };
  }

  #control(kind: (typeof CONTROLS)[number]): Node {
    const pipe = this.#pipeline('close', kind === 'range');
    this.#loops += kind === 'range' ? 1 : 0;
    const { nodes: body, end } = this.#list();
    this.#loops -= kind === 'range' ? 1 : 0;
    if (end === undefined) throw this.#error('unexpected EOF');
    return { kind, pipe, body, otherwise: end === 'else' ? this.#otherwise() : [] };
  }

  /** What follows `{{else`: `}}`, or another `if` or `with` whose end is also this one's. */
  #otherwise(): Node[] {
    this.#skipSpace();
    const next = this.#peek();
    if (next?.kind === 'word' && (next.text === 'if' || next.text === 'with')) {
      this.#next();
      return [this.#control(next.text)];
    }
    this.#close();
    const { nodes, end } = this.#list();
    if (end === 'else') throw this.#error('unexpected {{else}}');
    if (end === undefined) throw this.#error('unexpected EOF');
    return nodes;
  }

  #pipeline(until: TokenKind, isRange = false): Pipeline {
    const declared = this.#declaration(isRange);
    const commands: Command[] = [];
    for (;;) {
      commands.push(this.#command());
      const token = this.#next();
      if (token?.kind === 'symbol' && token.text === '|') continue;
      if (token?.kind === until && (until !== 'symbol' || token.text === ')')) {
        return { ...declared, commands, line: this.#line };
      }
      throw this.#unexpected(token);
    }
  }

  /** `$v :=`, `$v =`, `$i, $v :=` */
  #declaration(isRange: boolean): Pick<Pipeline, 'variables' | 'assigns'> {
    const start = this.#at;
    const variables: string[] = [];
    for (;;) {
      this.#skipSpace();
      const name = this.#next();
      if (name?.kind !== 'variable') break;
      variables.push(name.text);
      this.#skipSpace();
      const symbol = this.#next();
      if (symbol?.kind !== 'symbol') break;
      if (symbol.text === ',' && isRange && variables.length === 1) continue;
      if (symbol.text === ':=' || symbol.text === '=') return { variables, assigns: symbol.text === '=' };
      break;
    }
    this.#at = start;
    return { variables: [], assigns: false };
  }

  #command(): Command {
    const operands: Operand[] = [];
    for (;;) {
      this.#skipSpace();
      const operand = this.#operand();
      if (operand === undefined) break;
      operands.push(operand);
      // `.A.B` without a blank is one path; `"a""b"` is two values run together.
      const next = this.#peek();
      if (next !== undefined && !['space', 'close', 'symbol'].includes(next.kind)) throw this.#unexpected(next);
    }
    if (operands.length === 0)
      throw this.#peek()?.kind === 'close' ? this.#error('missing value for command') : this.#unexpected(this.#peek());
    return { operands, line: this.#line };
  }

  #operand(): Operand | undefined {
    const token = this.#peek();
    if (token === undefined) throw this.#error('unclosed action');
    switch (token.kind) {
      case 'field':
        this.#next();
        return {
          kind: 'path',
          from: { kind: 'dot' },
          fields: token.text === '' ? [] : [token.text, ...this.#fields()],
        };
      case 'variable':
        this.#next();
        return { kind: 'path', from: { kind: 'variable', name: token.text }, fields: this.#fields() };
      case 'string':
        this.#next();
        return { kind: 'literal', value: token.text };
      case 'number':
        this.#next();
        return { kind: 'literal', value: Number(token.text) };
      case 'word': {
        this.#next();
        if (Object.hasOwn(LITERALS, token.text)) return { kind: 'literal', value: LITERALS[token.text]! };
        if (!Object.hasOwn(FUNCTIONS, token.text)) throw this.#error(`function "${token.text}" not defined`);
        return { kind: 'function', name: token.text };
      }
      case 'symbol': {
        if (token.text !== '(') return undefined;
        this.#next();
        const pipe = this.#pipeline('symbol');
        return { kind: 'path', from: { kind: 'pipe', pipe }, fields: this.#fields() };
      }
      default:
        return undefined;
    }
  }

  #fields(): string[] {
    const fields: string[] = [];
    for (let token = this.#peek(); token?.kind === 'field' && token.text !== ''; token = this.#peek()) {
      fields.push(token.text);
      this.#next();
    }
    return fields;
  }

  #close(): void {
    this.#skipSpace();
    const token = this.#next();
    if (token?.kind !== 'close') throw this.#unexpected(token);
  }

  #skipSpace(): void {
    while (this.#peek()?.kind === 'space') this.#at++;
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#at];
  }

  #next(): Token | undefined {
    const token = this.#tokens[this.#at++];
    if (token !== undefined) this.#line = token.line;
    return token;
  }

  #unexpected(token: Token | undefined): TemplateError {
    if (token === undefined) return this.#error('unclosed action');
    return this.#error(`unexpected ${token.kind === 'close' ? '"}}"' : JSON.stringify(token.text)} in command`);
  }

  #error(message: string): TemplateError {
    return new TemplateError(message, this.#line);
  }
}
