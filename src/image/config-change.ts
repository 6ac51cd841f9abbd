/**
 * Dockerfile instructions as changes of an image's config, for `commit -c` and `import -c`: those that only describe (Docker:
 * CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, USER, VOLUME, WORKDIR; and STOPSIGNAL, HEALTHCHECK NONE, SHELL).
 */
import { posix } from 'node:path';
import { ImageError } from './image-error.ts';

/** An image config as it is written (image-spec, config.md). */
export interface ConfigDocument {
  readonly config?: Record<string, unknown>;
  readonly history?: readonly object[];
  readonly rootfs?: { readonly type: string; readonly diff_ids: readonly string[] };
  readonly [key: string]: unknown;
}

type RunConfig = Readonly<Record<string, unknown>>;

const instructions: Readonly<Record<string, (config: RunConfig, rest: string) => RunConfig>> = {
  CMD: (config, rest) => ({ ...config, Cmd: command(rest) }),
  // As docker build has it: a new entrypoint takes the old arguments away.
  ENTRYPOINT: (config, rest) => ({ ...config, Entrypoint: command(rest), Cmd: undefined }),
  ENV: (config, rest) => ({ ...config, Env: mergeVariables(config['Env'], pairs(rest, 'ENV')) }),
  EXPOSE: (config, rest) => ({ ...config, ExposedPorts: { ...set(config['ExposedPorts']), ...ports(rest) } }),
  LABEL: (config, rest) => ({
    ...config,
    Labels: { ...set(config['Labels']), ...Object.fromEntries(pairs(rest, 'LABEL')) },
  }),
  ONBUILD: (config, rest) => ({ ...config, OnBuild: [...list(config['OnBuild']), rest] }),
  SHELL: (config, rest) => ({ ...config, Shell: jsonWords(rest) ?? fail('SHELL', 'needs a JSON list of words') }),
  STOPSIGNAL: (config, rest) => ({ ...config, StopSignal: rest }),
  USER: (config, rest) => ({ ...config, User: rest }),
  VOLUME: (config, rest) => ({
    ...config,
    Volumes: { ...set(config['Volumes']), ...empties(jsonWords(rest) ?? words(rest)) },
  }),
  WORKDIR(config, rest) {
    const before = config['WorkingDir'];
    return { ...config, WorkingDir: posix.resolve('/', typeof before === 'string' ? before : '', unquote(rest)) };
  },
  HEALTHCHECK: (config, rest) =>
    /^none$/i.test(rest)
      ? { ...config, Healthcheck: { Test: ['NONE'] } }
      : fail('HEALTHCHECK', 'can only be NONE here'),
};

/** The config with one instruction carried out. Throws INVALID. */
export function changeConfig(config: RunConfig, instruction: string): Record<string, unknown> {
  const match = /^\s*([A-Za-z]+)\s+(\S[^]*?)\s*$/.exec(instruction);
  const name = match?.[1]?.toUpperCase() ?? '';
  if (!match || !Object.hasOwn(instructions, name)) {
    const known = Object.keys(instructions).join(', ');
    const first = instruction.trim().split(/\s/)[0] ?? '';
    const reason = Object.hasOwn(instructions, first.toUpperCase()) ? 'requires an argument' : `is not one of ${known}`;
    throw new ImageError(
      'INVALID',
      `Cannot change the image by ${JSON.stringify(instruction)}: ${first || 'it'} ${reason}`,
    );
  }
  return instructions[name]!(config, match[2]!);
}

function fail(name: string, problem: string): never {
  throw new ImageError('INVALID', `Cannot change the image: ${name} ${problem}`);
}

/** Exec form, or a line for the shell. */
function command(rest: string): string[] {
  return jsonWords(rest) ?? ['/bin/sh', '-c', rest];
}

function jsonWords(rest: string): string[] | undefined {
  if (!rest.startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(rest);
    return Array.isArray(value) && value.every((each) => typeof each === 'string') ? value : undefined;
  } catch {
    return undefined;
  }
}

/** `A=1 B="two words"`, or the old form `A one value`. */
function pairs(rest: string, name: string): [string, string][] {
  if (!/^[^\s=]+=/.test(rest)) {
    const [, key, value] = /^(\S+)\s+([^]+)$/.exec(rest) ?? [];
    return key === undefined ? fail(name, 'must have two arguments') : [[key, value!]];
  }
  return words(rest).map((word) => {
    const equals = word.indexOf('=');
    if (equals < 1) return fail(name, `has a word without a value: ${JSON.stringify(word)}`);
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

/** Split at spaces outside quotes; quotes and backslashes go. */
function words(rest: string): string[] {
  const found = rest.match(/(?:\\[^]|"(?:\\[^]|[^"\\])*"|'[^']*'|[^\s"'\\])+/g) ?? [];
  return found.map(unquote);
}

function unquote(word: string): string {
  return word.replace(
    /"((?:\\[^]|[^"\\])*)"|'([^']*)'|\\([^])/g,
    (_, double?: string, single?: string, escaped?: string) =>
      double === undefined ? (single ?? escaped!) : double.replace(/\\(["\\$])/g, '$1'),
  );
}

function ports(rest: string): Record<string, object> {
  return empties(
    words(rest).flatMap((word) => {
      const [, from, to, protocol = 'tcp'] = /^([0-9]+)(?:-([0-9]+))?(?:\/(tcp|udp|sctp))?$/i.exec(word) ?? [];
      const [first, last] = [Number(from), Number(to ?? from)];
      if (from === undefined || last > 65535 || last < first)
        return fail('EXPOSE', `has no port in ${JSON.stringify(word)}`);
      return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol.toLowerCase()}`);
    }),
  );
}

function mergeVariables(before: unknown, added: readonly [string, string][]): string[] {
  const variables = new Map(list(before).map((variable) => [variable.split('=')[0]!, variable]));
  for (const [key, value] of added) variables.set(key, `${key}=${value}`);
  return [...variables.values()];
}

function list(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : [];
}

function set(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {};
}

function empties(keys: readonly string[]): Record<string, object> {
  return Object.fromEntries(keys.map((key) => [key, {}]));
}
