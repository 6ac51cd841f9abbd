/**
 * Rules of a .dockerignore file, or of `--exclude`: patterns that take files out of a context, and with `!` in front put
 * them back in. A pattern that matches a folder counts for all below it; the last one that matches wins.
 */
import { posix } from 'node:path';
import { patternExpression } from './path-pattern.ts';

interface Rule {
  readonly expression: RegExp;
  readonly components: readonly string[];
  readonly includes: boolean;
}

/** Which rules have matched a path or one above it: carried from a folder to what is in it. */
export type Matched = readonly boolean[];

export class IgnoreRules {
  readonly #rules: readonly Rule[];

  constructor(patterns: readonly string[]) {
    this.#rules = patterns.map((pattern) => {
      const includes = pattern.startsWith('!');
      const path = includes ? pattern.slice(1) : pattern;
      return { expression: patternExpression(path, true), components: path.split('/'), includes };
    });
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** Matches a path (relative, no slash in front) given what has matched the folder that it is in. */
  match(path: string, above: Matched): { ignored: boolean; matched: Matched } {
    let ignored = false;
    const matched = this.#rules.map(({ expression, includes }, i) => {
      const does = above[i] === true || expression.test(path);
      if (does) ignored = !includes;
      return does;
    });
    return { ignored, matched };
  }

  /** Whether a path is taken out. */
  ignores(path: string): boolean {
    let result = { ignored: false, matched: [] as Matched };
    const names = path.split('/');
    for (let depth = 1; depth <= names.length; depth++) {
      result = this.match(names.slice(0, depth).join('/'), result.matched);
    }
    return result.ignored;
  }

  /** Whether a rule may put something back that lies in an ignored folder. */
  mayIncludeBelow(folder: string): boolean {
    const names = folder.split('/');
    return this.#rules.some(({ includes, components }) => {
      if (!includes) return false;
      for (const [i, name] of names.entries()) {
        const component = components[i];
        if (component === undefined) return false;
        if (/[*?[\\]/.test(component)) return true;
        if (component !== name) return false;
      }
      return true;
    });
  }
}

/** The patterns of a .dockerignore file. */
export function parseIgnoreFile(text: string): string[] {
  return text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .flatMap((line) => cleanPattern(line));
}

/** A pattern in its shortest form, without a slash in front; nothing where there is none. */
export function cleanPattern(line: string): string[] {
  const trimmed = line.trim();
  if (trimmed === '') return [];
  const includes = trimmed.startsWith('!');
  const path = (includes ? trimmed.slice(1) : trimmed).trim();
  const clean = posix.normalize(`/${path}`).replace(/^\/+/, '').replace(/\/$/, '');
  if (clean === '') return path === '' ? [] : [includes ? '!.' : '.'];
  return [includes ? `!${clean}` : clean];
}
