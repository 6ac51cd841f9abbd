/** Patterns of paths: Go's filepath.Match, and `**` for any number of folders, as .dockerignore and --exclude have them. */

/** A pattern that matches nothing because it cannot be read, in Go's words. */
export class PatternError extends Error {
  constructor(pattern: string) {
    super(`syntax error in pattern: ${JSON.stringify(pattern)}`);
    this.name = 'PatternError';
  }
}

/** The expression for whole paths without a slash in front. `**` counts only where `deep` says so. */
export function patternExpression(pattern: string, deep: boolean): RegExp {
  let source = '^';
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!;
    if (character === '*' && deep && pattern[at + 1] === '*') {
      at++;
      // "**/" is also no folder at all; "**" at the end is everything below.
      if (pattern[at + 1] === '/') {
        at++;
        source += '(?:.*/)?';
      } else source += '.*';
    } else if (character === '*') source += '[^/]*';
    else if (character === '?') source += '[^/]';
    else if (character === '[') {
      const { text, end } = characterClass(pattern, at);
      source += text;
      at = end;
    } else if (character === '\\') {
      const next = pattern[++at];
      if (next === undefined) throw new PatternError(pattern);
      source += escapeExpression(next);
    } else source += escapeExpression(character);
  }
  try {
    return new RegExp(`${source}$`, 's');
  } catch {
    throw new PatternError(pattern);
  }
}

/** `[a-z]`, `[^abc]`, with backslash escapes. */
function characterClass(pattern: string, start: number): { text: string; end: number } {
  let at = start + 1;
  let text = '[';
  if (pattern[at] === '^') {
    text += '^/';
    at++;
  }
  for (const first = at; at < pattern.length; at++) {
    const character = pattern[at]!;
    if (character === ']' && at > first) return { text: `${text}]`, end: at };
    if (character === '\\') text += `\\${pattern[++at] ?? ''}`;
    else text += character === '-' ? '-' : escapeExpression(character);
  }
  throw new PatternError(pattern);
}

/** Whether a path has anything in it that makes it a pattern. */
export function isPattern(path: string): boolean {
  return /[*?[\\]/.test(path);
}

function escapeExpression(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
