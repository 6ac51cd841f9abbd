/**
 * Variables in a Dockerfile's words: sh(1)'s parameter expansion with quotes and escapes, as far as the language has it:
 *
 *   $name ${name} ${name:-word} ${name-word} ${name:+word} ${name+word} ${name:?word} ${name?word}
 *   ${name#pattern} ${name##pattern} ${name%pattern} ${name%%pattern} ${name/pattern/word} ${name//pattern/word}
 *
 * Quotes are taken away and escapes carried out, unless a caller wants both left for a shell (here-documents).
 */

export interface ExpandOptions {
  readonly escape: string;
  /** The value of a variable; undefined where it is not set. */
  lookup(name: string): string | undefined;
  /** Leaves quotes and escapes in, as in the content of a here-document. */
  readonly keepQuotes?: boolean;
  /** Told each variable that is used and not set. */
  onUnset?(name: string): void;
}

/** A word that cannot be expanded: bad syntax, or `${name:?…}` of what is not set. */
export class ExpansionError extends Error {
  /** Where in the word. */
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.name = 'ExpansionError';
    this.offset = offset;
  }
}

/** Expands a word to one word. */
export function expandWord(word: string, options: ExpandOptions): string {
  return new Expander(word, options).all();
}

/** Expands a text to words: a variable without quotes around it may give several. */
export function expandWords(text: string, options: ExpandOptions): string[] {
  const expander = new Expander(text, options);
  expander.all();
  return expander.words();
}

class Expander {
  readonly #text: string;
  readonly #options: ExpandOptions;
  #at = 0;
  #words: string[] = [];
  #word: string | undefined;

  constructor(text: string, options: ExpandOptions) {
    this.#text = text;
    this.#options = options;
  }

  words(): string[] {
    return this.#word === undefined ? this.#words : [...this.#words, this.#word];
  }

  all(): string {
    return this.#until('');
  }

  /** Expands up to a character that ends it (`}` or `/`), or to the end; the character is consumed. */
  #until(stops: string): string {
    const { escape, keepQuotes = false } = this.#options;
    let result = '';
    const add = (text: string, splits: boolean): void => {
      result += text;
      if (stops === '') this.#gather(text, splits);
    };
    while (this.#at < this.#text.length) {
      const character = this.#text[this.#at]!;
      if (stops.includes(character)) return result;
      if (character === "'" && !keepQuotes) add(this.#single(), false);
      else if (character === '"' && !keepQuotes) add(this.#double(), false);
      else if (character === '$') add(this.#dollar(), true);
      else if (character === escape) {
        this.#at++;
        const next = this.#text[this.#at++];
        if (next === undefined) {
          if (keepQuotes) add(escape, false);
          break;
        }
        // In a here-document only what would begin an expansion is escaped.
        add(keepQuotes && next !== '$' && next !== escape ? escape + next : next, false);
      } else {
        this.#at++;
        add(character, true);
      }
    }
    if (stops !== '') this.#fail('unexpected end of statement while looking for matching }');
    return result;
  }

  /** Notes what has been expanded for `words`: blanks outside of quotes end a word. */
  #gather(text: string, splits: boolean): void {
    if (!splits) {
      this.#word = (this.#word ?? '') + text;
      return;
    }
    for (const [index, part] of text.split(/\s+/).entries()) {
      if (index > 0 && this.#word !== undefined) {
        this.#words.push(this.#word);
        this.#word = undefined;
      }
      if (part !== '') this.#word = (this.#word ?? '') + part;
    }
  }

  #single(): string {
    const end = this.#text.indexOf("'", this.#at + 1);
    if (end < 0) this.#fail('unexpected end of statement while looking for matching single-quote');
    const result = this.#text.slice(this.#at + 1, end);
    this.#at = end + 1;
    return result;
  }

  #double(): string {
    const { escape } = this.#options;
    const start = this.#at++;
    let result = '';
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined)
        this.#fail('unexpected end of statement while looking for matching double-quote', start);
      if (character === '"') {
        this.#at++;
        return result;
      }
      if (character === '$') {
        result += this.#dollar();
      } else if (character === escape) {
        const next = this.#text[this.#at + 1];
        if (next === undefined)
          this.#fail('unexpected end of statement while looking for matching double-quote', start);
        // sh(1): within double quotes it escapes these and nothing else.
        result += next === '"' || next === '$' || next === escape ? next : escape + next;
        this.#at += 2;
      } else {
        result += character;
        this.#at++;
      }
    }
  }

  #dollar(): string {
    const start = this.#at++;
    if (this.#text[this.#at] !== '{') {
      const name = this.#name();
      return name === '' ? '$' : this.#value(name);
    }
    this.#at++;
    if (this.#text[this.#at] === undefined) this.#fail('syntax error: missing }', start);
    const name = this.#name();
    const next = this.#text[this.#at];
    if (name === '')
      this.#fail(next === '}' ? 'syntax error: bad substitution' : 'unsupported modifier in substitution', start);
    if (next === undefined) this.#fail('syntax error: missing }', start);
    this.#at++;
    switch (next) {
      case '}':
        return this.#value(name);
      case ':': {
        const operator = this.#text[this.#at++];
        if (operator === undefined || !'-+?'.includes(operator))
          this.#fail(`unsupported modifier (${operator ?? ''}) in substitution`, start);
        return this.#choose(name, operator, true, start);
      }
      case '-':
      case '+':
      case '?':
        return this.#choose(name, next, false, start);
      case '#':
      case '%': {
        const longest = this.#text[this.#at] === next;
        if (longest) this.#at++;
        const pattern = this.#pattern('}');
        return trimPattern(this.#value(name), pattern, next, longest);
      }
      case '/': {
        const all = this.#text[this.#at] === '/';
        if (all) this.#at++;
        const pattern = this.#pattern('/');
        const replacement = this.#nested();
        const expression = new RegExp(patternSource(pattern, true), all ? 'gs' : 's');
        return this.#value(name).replace(expression, () => replacement);
      }
      default:
        return this.#fail(`unsupported modifier (${next}) in substitution`, start);
    }
  }

  #choose(name: string, operator: string, nullCounts: boolean, start: number): string {
    const word = this.#nested();
    const value = this.#options.lookup(name);
    const isSet = value !== undefined && !(nullCounts && value === '');
    if (operator === '-') return isSet ? value : word;
    if (operator === '+') return isSet ? word : '';
    if (isSet) return value;
    const what = nullCounts ? 'parameter null or not set' : 'parameter not set';
    return this.#fail(`${name}: ${word === '' ? what : word}`, start);
  }

  /** The word of an operator, expanded, with its closing brace. */
  #nested(): string {
    const word = this.#until('}');
    this.#at++;
    return word;
  }

  /** A pattern, whose escapes stay for the pattern to understand. */
  #pattern(end: string): string {
    const { escape } = this.#options;
    let pattern = '';
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined) this.#fail('syntax error: missing }');
      if (character === end) {
        this.#at++;
        return pattern;
      }
      if (character === escape && this.#at + 1 < this.#text.length) {
        pattern += `\\${this.#text[this.#at + 1]!}`;
        this.#at += 2;
      } else if (character === '$') {
        pattern += this.#dollar();
      } else {
        pattern += character;
        this.#at++;
      }
    }
  }

  /** A variable's name, or one of sh's special parameters; empty where there is none. */
  #name(): string {
    const match = /^(?:[a-zA-Z_][a-zA-Z0-9_]*|[0-9]+|[@*#?\-$!])/.exec(this.#text.slice(this.#at));
    this.#at += match?.[0].length ?? 0;
    return match?.[0] ?? '';
  }

  #value(name: string): string {
    const value = this.#options.lookup(name);
    if (value === undefined) this.#options.onUnset?.(name);
    return value ?? '';
  }

  #fail(message: string, at = this.#at): never {
    throw new ExpansionError(message, at);
  }
}

function trimPattern(value: string, pattern: string, side: string, longest: boolean): string {
  if (side === '#') return value.replace(new RegExp(`^${patternSource(pattern, longest)}`, 's'), '');
  // Shortest from the right: the last place from which the pattern reaches to the end.
  const expression = new RegExp(`^${patternSource(pattern, true)}$`, 's');
  const starts = Array.from({ length: value.length + 1 }, (_, i) => (longest ? i : value.length - i));
  const start = starts.find((at) => expression.test(value.slice(at)));
  return start === undefined ? value : value.slice(0, start);
}

/** A pattern of sh's `*` and `?` as a regular expression. */
function patternSource(pattern: string, greedy: boolean): string {
  return pattern.replace(/\\(.)|[^]/gs, (match: string, escaped: string | undefined) => {
    if (escaped !== undefined) return escapeExpression(escaped);
    if (match === '*') return greedy ? '.*' : '.*?';
    return match === '?' ? '.' : escapeExpression(match);
  });
}

function escapeExpression(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
