/** Here-documents, as sh(1) has them: `<<EOF`, `<<-EOF` (leading tabs go), `<<"EOF"` (nothing in it is expanded). */
import { shellWords } from './shell-words.ts';

export interface Heredoc {
  /** The word that ends it. */
  readonly name: string;
  /** Number before `<<`: a file descriptor; empty as a rule. */
  readonly fd: string;
  readonly chomp: boolean;
  readonly expand: boolean;
  readonly content: string;
}

const HEREDOC = /^(\d*)<<(-?)([^<]+)$/;

/** Those that a line opens, in their order. Words in quotes open none: `echo "<<EOF"`. */
export function findHeredocs(line: string, escape: string): Omit<Heredoc, 'content'>[] {
  return shellWords(line, escape).flatMap((word) => {
    const opened = parseHeredoc(word);
    return opened === undefined ? [] : [opened];
  });
}

/** The here-document that a word opens, or undefined. */
export function parseHeredoc(word: string): Omit<Heredoc, 'content'> | undefined {
  const match = HEREDOC.exec(word);
  if (match === null) return undefined;
  const [, fd = '', dash = '', rest = ''] = match;
  const name = rest.replace(/["']/g, '');
  // Nothing that sh takes for a delimiter either: `<<$((1))` and the like are arithmetic or worse.
  if (name === '' || /[\s$()]/.test(name)) return undefined;
  return { name, fd, chomp: dash === '-', expand: name === rest };
}
