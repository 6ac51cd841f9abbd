/** One logical line -> one instruction, with Docker's words for what is wrong. */
import { ArgumentError, jsonStrings, parseCommand, parseGoDuration, parseList, parsePairs } from './arguments.ts';
import { DockerfileError } from './dockerfile-error.ts';
import { parseHeredoc } from './heredoc.ts';
import { FlagError, readFlags, suggestion, type FlagShape } from './instruction-flags.ts';
import type { Instruction, InstructionBody } from './instruction.ts';
import type { LogicalLine } from './logical-lines.ts';
import { placedWords } from './shell-words.ts';

interface Input {
  readonly keyword: string;
  /** What stands behind the keyword and the flags. */
  readonly rest: string;
  readonly escape: string;
  readonly heredocs: LogicalLine['heredocs'];
}

const NO_FLAGS = {} as const;
const COPY_FLAGS = {
  from: 'text',
  chown: 'text',
  chmod: 'text',
  link: 'boolean',
  parents: 'boolean',
  exclude: 'list',
} as const;
const ADD_FLAGS = {
  chown: 'text',
  chmod: 'text',
  link: 'boolean',
  exclude: 'list',
  checksum: 'text',
  'keep-git-dir': 'boolean',
  unpack: 'boolean',
} as const;
const HEALTH_FLAGS = {
  interval: 'text',
  timeout: 'text',
  'start-period': 'text',
  'start-interval': 'text',
  retries: 'text',
} as const;

type Given = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

const PARSERS: Readonly<Record<string, { flags: FlagShape; parse: (input: Input, flags: Given) => InstructionBody }>> =
  {
    FROM: { flags: { platform: 'text' }, parse: parseFrom },
    RUN: { flags: { mount: 'list', network: 'text', security: 'text', device: 'list' }, parse: parseRun },
    COPY: { flags: COPY_FLAGS, parse: parseCopy },
    ADD: { flags: ADD_FLAGS, parse: parseCopy },
    ARG: { flags: NO_FLAGS, parse: parseArg },
    ENV: { flags: NO_FLAGS, parse: (input) => ({ kind: 'env', pairs: parsePairs('ENV', input.rest, input.escape) }) },
    LABEL: {
      flags: NO_FLAGS,
      parse: (input) => ({ kind: 'label', pairs: parsePairs('LABEL', input.rest, input.escape) }),
    },
    CMD: { flags: NO_FLAGS, parse: ({ rest }) => ({ kind: 'cmd', command: parseCommand(rest) }) },
    ENTRYPOINT: { flags: NO_FLAGS, parse: ({ rest }) => ({ kind: 'entrypoint', command: parseCommand(rest) }) },
    SHELL: { flags: NO_FLAGS, parse: parseShell },
    EXPOSE: { flags: NO_FLAGS, parse: parseExpose },
    VOLUME: { flags: NO_FLAGS, parse: parseVolume },
    USER: { flags: NO_FLAGS, parse: single('user') },
    WORKDIR: { flags: NO_FLAGS, parse: single('workdir') },
    STOPSIGNAL: { flags: NO_FLAGS, parse: single('stopsignal') },
    MAINTAINER: { flags: NO_FLAGS, parse: single('maintainer') },
    HEALTHCHECK: { flags: HEALTH_FLAGS, parse: parseHealthcheck },
    ONBUILD: { flags: NO_FLAGS, parse: parseOnbuild },
  };

/** Throws a DockerfileError that points at the mistake. */
export function parseInstruction(line: LogicalLine, escape: string): Instruction {
  const { text, endLine, heredocs } = line;
  const written = /^\S+/.exec(text)?.[0] ?? '';
  const keyword = written.toUpperCase();
  function fail(error: Error, offset: number): never {
    throw new DockerfileError(error.message, line.positionOf(offset), endLine, { cause: error });
  }
  const parser = Object.hasOwn(PARSERS, keyword) ? PARSERS[keyword] : undefined;
  if (parser === undefined) {
    return fail(new Error(`unknown instruction: ${written}${suggestion(written, Object.keys(PARSERS))}`), 0);
  }
  try {
    const words = placedWords(text, escape).slice(1);
    const { flags, rest } = readFlags(text, words, parser.flags, escape);
    const argumentsAt = rest + (text.length - rest - text.slice(rest).trimStart().length);
    try {
      const body = parser.parse({ keyword, rest: text.slice(argumentsAt), escape, heredocs }, flags);
      return { ...body, text, keyword: written, start: line.positionOf(0), endLine };
    } catch (error) {
      if (!(error instanceof ArgumentError)) throw error;
      return fail(error, error.offset === undefined ? 0 : argumentsAt + error.offset);
    }
  } catch (error) {
    if (error instanceof FlagError) return fail(error, error.offset);
    throw error;
  }
}

function single(kind: 'user' | 'workdir' | 'stopsignal' | 'maintainer') {
  return ({ keyword, rest }: Input): InstructionBody => {
    if (rest === '') throw new ArgumentError(`${keyword} requires exactly one argument`);
    return { kind, value: rest };
  };
}

const STAGE_NAME = /^[a-z][a-z0-9-_.]*$/;

function parseFrom({ rest }: Input, flags: Given): InstructionBody {
  const words = rest.split(/\s+/).filter((word) => word !== '');
  const [image, asKeyword, name] = words;
  const isNamed = words.length === 3 && asKeyword?.toLowerCase() === 'as';
  if (image === undefined || (words.length !== 1 && !isNamed)) {
    throw new ArgumentError('FROM requires either one or three arguments');
  }
  if (isNamed && !STAGE_NAME.test(name!.toLowerCase())) {
    throw new ArgumentError(
      `invalid name for build stage: "${name!}", name can't start with a number or contain symbols`,
    );
  }
  return {
    kind: 'from',
    image,
    platform: flags['platform'] as string | undefined,
    name: isNamed ? name : undefined,
    asKeyword: isNamed ? asKeyword : undefined,
  };
}

function parseRun({ rest, heredocs }: Input, flags: Given): InstructionBody {
  if (rest === '') throw new ArgumentError('RUN requires at least one argument');
  const network = flags['network'] ?? 'default';
  if (network !== 'default' && network !== 'none' && network !== 'host') {
    throw new ArgumentError(`invalid network mode: "${String(network)}"`);
  }
  const security = flags['security'] ?? 'sandbox';
  if (security !== 'sandbox' && security !== 'insecure') {
    throw new ArgumentError(`security "${String(security)}" is not valid`);
  }
  if ((flags['device'] as string[]).length > 0)
    throw new ArgumentError('RUN --device is not supported: CDI devices need a privileged runtime');
  const command = parseCommand(rest);
  return { kind: 'run', command, heredocs, mounts: flags['mount'] as string[], network, security };
}

function parseCopy({ keyword, rest, heredocs }: Input, flags: Given): InstructionBody {
  const words = parseList(rest);
  if (words.length === 0) throw new ArgumentError(`${keyword} requires at least two arguments, but none were provided`);
  if (words.length === 1) {
    throw new ArgumentError(
      `${keyword} requires at least two arguments, but only one was provided. Destination could not be determined`,
    );
  }
  const destination = words.at(-1)!;
  const named = words.slice(0, -1);
  const sources = named.filter((word) => parseHeredoc(word) === undefined || heredocs.length === 0);
  if (parseHeredoc(destination) !== undefined && heredocs.length > 0) {
    throw new ArgumentError(`${keyword} cannot accept a heredoc as a destination`);
  }
  return {
    kind: keyword === 'ADD' ? 'add' : 'copy',
    sources,
    contents: heredocs,
    destination,
    from: flags['from'] as string | undefined,
    chown: flags['chown'] as string | undefined,
    chmod: flags['chmod'] as string | undefined,
    link: flags['link'] === true,
    parents: flags['parents'] === true,
    excludes: flags['exclude'] as string[],
    checksum: flags['checksum'] as string | undefined,
    keepGitDir: flags['keep-git-dir'] === true,
    unpack: flags['unpack'] as boolean | undefined,
  };
}

function parseArg({ rest, escape }: Input): InstructionBody {
  const words = placedWords(rest, escape);
  if (words.length === 0) throw new ArgumentError('ARG requires at least one argument');
  const args = words.map(({ text, offset }) => {
    const equals = text.indexOf('=');
    if (equals === 0) throw new ArgumentError('ARG names can not be blank', offset);
    return equals < 0 ? { key: text, value: undefined } : { key: text.slice(0, equals), value: text.slice(equals + 1) };
  });
  return { kind: 'arg', args };
}

function parseShell({ rest }: Input): InstructionBody {
  const args = jsonStrings(rest);
  if (args === undefined) throw new ArgumentError('SHELL requires the arguments to be in JSON form');
  if (args.length === 0) throw new ArgumentError('SHELL requires at least one argument');
  return { kind: 'shell', args };
}

function parseExpose({ rest }: Input): InstructionBody {
  const ports = rest.split(/\s+/).filter((port) => port !== '');
  if (ports.length === 0) throw new ArgumentError('EXPOSE requires at least one argument');
  return { kind: 'expose', ports };
}

function parseVolume({ rest }: Input): InstructionBody {
  const paths = parseList(rest).map((path) => path.trim());
  if (paths.length === 0) throw new ArgumentError('VOLUME requires at least one argument');
  if (paths.includes('')) throw new ArgumentError('VOLUME specified can not be an empty string');
  return { kind: 'volume', paths };
}

function parseHealthcheck({ rest }: Input, flags: Given): InstructionBody {
  const type = /^\S+/.exec(rest)?.[0];
  if (type === undefined) throw new ArgumentError('HEALTHCHECK requires at least one argument');
  const times = {
    interval: healthTime(flags, 'interval'),
    timeout: healthTime(flags, 'timeout'),
    startPeriod: healthTime(flags, 'start-period'),
    startInterval: healthTime(flags, 'start-interval'),
    retries: healthRetries(flags['retries'] as string | undefined),
  };
  const behind = rest.slice(type.length).trim();
  if (type.toUpperCase() === 'NONE') {
    if (behind !== '') throw new ArgumentError('HEALTHCHECK NONE takes no arguments');
    return { kind: 'healthcheck', test: 'NONE', ...times };
  }
  if (type.toUpperCase() !== 'CMD') throw new ArgumentError(`unknown type "${type}" in HEALTHCHECK (try CMD)`);
  if (behind === '') throw new ArgumentError('missing command after HEALTHCHECK CMD');
  return { kind: 'healthcheck', test: parseCommand(behind), ...times };
}

function healthTime(flags: Given, name: string): number {
  const text = flags[name] as string | undefined;
  if (text === undefined) return 0;
  const time = parseGoDuration(text);
  // 0 stands for what is inherited; Docker's lower bound.
  if (time !== 0 && time < 1e6) throw new ArgumentError(`Interval "--${name}" cannot be less than 1ms`);
  return time;
}

function healthRetries(text: string | undefined): number {
  if (text === undefined) return 0;
  if (!/^\d+$/.test(text)) throw new ArgumentError(`--retries must be a number of 0 or more, not "${text}"`);
  return Number(text);
}

function parseOnbuild({ rest }: Input): InstructionBody {
  const trigger = /^\S+/.exec(rest)?.[0].toUpperCase();
  if (trigger === undefined) throw new ArgumentError('ONBUILD requires at least one argument');
  if (trigger === 'ONBUILD') throw new ArgumentError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  if (trigger === 'FROM' || trigger === 'MAINTAINER') {
    throw new ArgumentError(`${trigger} isn't allowed as an ONBUILD trigger`);
  }
  return { kind: 'onbuild', trigger: rest };
}
