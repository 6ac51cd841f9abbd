/**
 * Parser directives: comments `# name=value` at the very top of a Dockerfile, before any other comment, blank line or
 * instruction. The three that there are: https://docs.docker.com/reference/dockerfile/#parser-directives
 */
import { DockerfileError } from './dockerfile-error.ts';

export interface Directives {
  /** Image of another frontend. Ours speaks the whole language itself, so it is noted and nothing is fetched. */
  readonly syntax?: string;
  readonly escape: '\\' | '`';
  readonly check: CheckSettings;
}

/** `# check=skip=JSONArgsRecommended,StageNameCasing;error=true` */
export interface CheckSettings {
  readonly skip: readonly string[];
  readonly skipAll: boolean;
  /** Warnings fail the build. */
  readonly error: boolean;
}

const DIRECTIVE = /^#[ \t]*([a-zA-Z][a-zA-Z0-9]*)[ \t]*=[ \t]*(.+?)[ \t]*$/;
const KNOWN = ['syntax', 'escape', 'check'] as const;
const NO_CHECKS: CheckSettings = { skip: [], skipAll: false, error: false };

export function parseDirectives(lines: readonly string[]): Directives {
  const found = new Map<string, string>();
  let escape: Directives['escape'] = '\\';
  for (const [index, text] of lines.entries()) {
    const match = DIRECTIVE.exec(text);
    const name = match?.[1]?.toLowerCase();
    const value = match?.[2] ?? '';
    if (name === undefined || !(KNOWN as readonly string[]).includes(name)) break;
    const position = { line: index + 1, column: 1 };
    if (found.has(name)) throw new DockerfileError(`only one ${name} parser directive can be used`, position);
    found.set(name, value);
    if (name !== 'escape') continue;
    if (value !== '\\' && value !== '`') {
      throw new DockerfileError(`invalid escape token '${value}' does not match \` or \\`, position);
    }
    escape = value;
  }
  const syntax = found.get('syntax');
  return { ...(syntax === undefined ? {} : { syntax }), escape, check: parseCheck(found.get('check') ?? '') };
}

/** Also the form of the build argument BUILDKIT_DOCKERFILE_CHECK. */
export function parseCheck(text: string): CheckSettings {
  let settings = NO_CHECKS;
  for (const part of text.split(';')) {
    const [key = '', value = ''] = part.split('=', 2).map((each) => each.trim());
    if (key === 'skip') {
      const skip = value.split(',').map((name) => name.trim());
      settings = { ...settings, skip, skipAll: skip.includes('all') };
    } else if (key === 'error') {
      settings = { ...settings, error: value === 'true' };
    }
  }
  return settings;
}
