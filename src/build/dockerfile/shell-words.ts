/** Splitting at blanks that no quotes protect. */

export interface PlacedWord {
  readonly text: string;
  /** Where it begins in the text. */
  readonly offset: number;
}

/** The words of a text with their quotes and escapes still in them. An unclosed quote reaches to the end. */
export function placedWords(text: string, escape: string): PlacedWord[] {
  const words: PlacedWord[] = [];
  let quote = '';
  let start = -1;
  for (let at = 0; at < text.length; at++) {
    const character = text[at]!;
    if (quote === '' && /\s/.test(character)) {
      if (start >= 0) words.push({ text: text.slice(start, at), offset: start });
      start = -1;
      continue;
    }
    if (start < 0) start = at;
    if (character === escape && quote !== "'") at++;
    else if (quote === '' && (character === '"' || character === "'")) quote = character;
    else if (character === quote) quote = '';
  }
  if (start >= 0) words.push({ text: text.slice(start), offset: start });
  return words;
}

export function shellWords(text: string, escape: string): string[] {
  return placedWords(text, escape).map((word) => word.text);
}
