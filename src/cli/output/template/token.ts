/** Splits a Go template (text/template) into texts, and actions into tokens. */
import { TemplateError } from './template-error.ts';

export type TokenKind =
  | 'text'
  | 'open'
  | 'close'
  /** `.Name`, or `.` alone with an empty text. */
  | 'field'
  /** `$name` */
  | 'variable'
  | 'word'
  | 'string'
  | 'number'
  /** `(` `)` `|` `,` `=` `:=` */
  | 'symbol'
  | 'space';

export interface Token {
  readonly kind: TokenKind;
  /** Without quotes, dots and dollars. */
  readonly text: string;
  readonly line: number;
}

/** What may stand in an action, tried in order. */
const ACTION_TOKENS: readonly (readonly [TokenKind, RegExp])[] = [
  ['space', /\s+/y],
  ['number', /[+-]?(?:0[xX][\da-fA-F]+|\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.])/y],
  ['field', /\.[A-Za-z_]\w*|\./y],
  ['variable', /\$\w*/y],
  ['word', /[A-Za-z_]\w*/y],
  ['string', /"(?:[^"\\\n]|\\.)*"|`[^`]*`/y],
  ['symbol', /:=|[()|,=]/y],
];

export function tokenize(template: string): Token[] {
  const tokens: Token[] = [];
  let [at, line] = [0, 1];
  while (at < template.length) {
    const open = template.indexOf('{{', at);
    let text = template.slice(at, open < 0 ? undefined : open);
    if (open >= 0 && /^\{\{-\s/.test(template.slice(open, open + 4))) text = text.trimEnd();
    if (text !== '') push('text', text, template.slice(at, open < 0 ? undefined : open));
    if (open < 0) break;
    const comment = /\{\{(?:-\s)?\/\*[^]*?\*\/(?:\s-)?\}\}/y;
    comment.lastIndex = open;
    const skipped = comment.exec(template)?.[0];
    at = skipped === undefined ? action(open) : open + skipped.length;
    if ((skipped ?? template.slice(0, at)).endsWith('-}}')) at += /^\s*/.exec(template.slice(at))![0].length;
  }
  return tokens;

  /** @param source the token as it stands in the template */
  function push(kind: TokenKind, text: string, source = text): void {
    tokens.push({ kind, text, line });
    line += source.split('\n').length - 1;
  }

  /** Reads the action at `from`, and returns where it ends. */
  function action(from: number): number {
    push('open', '');
    let position = from + (/^\{\{-\s/.test(template.slice(from, from + 4)) ? 3 : 2);
    for (;;) {
      const close = /\s-\}\}|\}\}/y;
      close.lastIndex = position;
      const end = close.exec(template);
      if (end !== null) {
        push('close', '');
        return position + end[0].length;
      }
      if (position >= template.length) throw new TemplateError('unclosed action', line);
      position = one(position);
    }
  }

  function one(position: number): number {
    for (const [kind, pattern] of ACTION_TOKENS) {
      pattern.lastIndex = position;
      const match = pattern.exec(template)?.[0];
      if (match === undefined) continue;
      push(kind, bare(kind, match), match);
      return position + match.length;
    }
    const character = String.fromCodePoint(template.codePointAt(position)!);
    if (character === '"' || character === '`') throw new TemplateError('unterminated quoted string', line);
    throw new TemplateError(`unexpected ${JSON.stringify(character)} in command`, line);
  }

  function bare(kind: TokenKind, match: string): string {
    if (kind === 'field' || kind === 'variable') return match.slice(1);
    if (kind !== 'string') return match;
    return match.startsWith('`') ? match.slice(1, -1) : unquote(match);
  }

  /** Go's interpreted strings, whose escapes are JSON's and a few more. */
  function unquote(literal: string): string {
    const json = literal
      .replace(/\\x([\da-fA-F]{2})/g, '\\u00$1')
      .replace(/\\a/g, '\\u0007')
      .replace(/\\v/g, '\\u000b')
      .replace(/\t/g, '\\t');
    try {
      return JSON.parse(json) as string;
    } catch {
      throw new TemplateError(`invalid syntax in string ${literal}`, line);
    }
  }
}
