/** Instructions that change an image's config and write no file. Each returns what the history says of it. */
import { posix } from 'node:path';
import { DockerfileError } from '../dockerfile/dockerfile-error.ts';
import type { Command, Instruction, InstructionOf } from '../dockerfile/instruction.ts';
import type { ImageDraft } from './image-draft.ts';
import type { Variables } from './variables.ts';

/** What a stage knows beside its draft. */
export interface StageNotes {
  /** The stage itself has said what is run: an ENTRYPOINT behind it leaves CMD alone. */
  hasOwnCmd: boolean;
}

export type MetadataInstruction = InstructionOf<
  | 'env'
  | 'label'
  | 'cmd'
  | 'entrypoint'
  | 'shell'
  | 'expose'
  | 'volume'
  | 'user'
  | 'stopsignal'
  | 'maintainer'
  | 'onbuild'
  | 'healthcheck'
>;

const DEFAULT_SHELL = ['/bin/sh', '-c'];

export function applyMetadata(
  instruction: MetadataInstruction,
  draft: ImageDraft,
  variables: Variables,
  notes: StageNotes,
): string {
  const { config } = draft;
  switch (instruction.kind) {
    case 'env': {
      // All values are expanded before any is set: ENV a=1 b=$a gives the old a.
      const pairs = instruction.pairs.map(
        ({ key, value }) => [variables.expand(key, instruction), variables.expand(value, instruction)] as const,
      );
      for (const [name, value] of pairs) {
        if (name === '') throw fault(instruction, 'ENV names can not be blank');
        variables.setEnv(name, value);
      }
      config.Env = variables.env;
      return `ENV ${pairs.map(([name, value]) => `${name}=${value}`).join(' ')}`;
    }
    case 'label': {
      const pairs = instruction.pairs.map(
        ({ key, value }) => [variables.expand(key, instruction), variables.expand(value, instruction)] as const,
      );
      config.Labels = { ...config.Labels, ...Object.fromEntries(pairs) };
      return `LABEL ${pairs.map(([name, value]) => `${name}=${value}`).join(' ')}`;
    }
    case 'cmd':
      config.Cmd = commandLine(instruction.command, draft);
      notes.hasOwnCmd = true;
      return `CMD ${JSON.stringify(config.Cmd)}`;
    case 'entrypoint':
      config.Entrypoint = commandLine(instruction.command, draft);
      if (!notes.hasOwnCmd) config.Cmd = null;
      return `ENTRYPOINT ${JSON.stringify(config.Entrypoint)}`;
    case 'shell':
      config.Shell = [...instruction.args];
      return `SHELL [${instruction.args.join(' ')}]`;
    case 'expose': {
      const ports = instruction.ports
        .flatMap((port) => variables.expandWords(port, instruction))
        .flatMap((port) => parsePorts(port, instruction));
      config.ExposedPorts = { ...config.ExposedPorts, ...Object.fromEntries(ports.map((port) => [port, {}])) };
      return `EXPOSE [${ports.join(' ')}]`;
    }
    case 'volume': {
      const paths = instruction.paths.map((path) => variables.expand(path, instruction));
      config.Volumes = { ...config.Volumes, ...Object.fromEntries(paths.map((path) => [path, {}])) };
      return `VOLUME [${paths.join(' ')}]`;
    }
    case 'user':
      config.User = variables.expand(instruction.value, instruction);
      return `USER ${config.User}`;
    case 'stopsignal': {
      const signal = variables.expand(instruction.value, instruction);
      if (!/^(?:\d+|(?:SIG)?[A-Z][A-Z0-9+-]*)$/i.test(signal)) throw fault(instruction, `Invalid signal: ${signal}`);
      config.StopSignal = signal;
      return `STOPSIGNAL ${signal}`;
    }
    case 'maintainer':
      draft.author = instruction.value;
      return `MAINTAINER ${instruction.value}`;
    case 'onbuild':
      config.OnBuild = [...(config.OnBuild ?? []), instruction.trigger];
      return `ONBUILD ${instruction.trigger}`;
    case 'healthcheck':
      config.Healthcheck = healthcheck(instruction);
      return instruction.test === 'NONE' ? 'HEALTHCHECK NONE' : `HEALTHCHECK ${JSON.stringify(config.Healthcheck)}`;
  }
}

/** The program and arguments of a command: in the shell's form, by the stage's shell. */
export function commandLine(command: Command, { config }: ImageDraft): string[] {
  if (command.form === 'exec') return [...command.args];
  return [...(config.Shell ?? DEFAULT_SHELL), command.script];
}

/** The working directory that WORKDIR names, from the one before. */
export function workingDirectory(path: string, before: string | undefined): string {
  return posix.resolve('/', before ?? '/', path);
}

function healthcheck(instruction: InstructionOf<'healthcheck'>): Record<string, unknown> {
  const { test, interval, timeout, startPeriod, startInterval, retries } = instruction;
  if (test === 'NONE') return { Test: ['NONE'] };
  const Test = test.form === 'exec' ? ['CMD', ...test.args] : ['CMD-SHELL', test.script];
  const times = {
    Interval: interval,
    Timeout: timeout,
    StartPeriod: startPeriod,
    StartInterval: startInterval,
    Retries: retries,
  };
  return { Test, ...Object.fromEntries(Object.entries(times).filter(([, value]) => value !== 0)) };
}

/** `80`, `80/udp`, `8000-8010/tcp` -> each port as `80/tcp`. */
function parsePorts(text: string, instruction: Instruction): string[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(\w+))?$/.exec(text);
  const protocol = (match?.[3] ?? 'tcp').toLowerCase();
  const first = Number(match?.[1]);
  const last = match?.[2] === undefined ? first : Number(match[2]);
  if (match === null || first > 65535 || last > 65535 || last < first) {
    throw fault(instruction, `invalid containerPort: ${text}`);
  }
  if (!['tcp', 'udp', 'sctp'].includes(protocol)) throw fault(instruction, `invalid proto: ${protocol}`);
  return Array.from({ length: last - first + 1 }, (_, i) => `${first + i}/${protocol}`);
}

function fault(instruction: Instruction, message: string): DockerfileError {
  return new DockerfileError(message, instruction.start, instruction.endLine);
}
