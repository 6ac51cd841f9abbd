/**
 * Build checks: what is allowed and probably not meant. Names and words are BuildKit's
 * (https://docs.docker.com/reference/build-checks/), so that `# check=skip=…` means the same.
 */
import type { Instruction } from '../dockerfile/instruction.ts';
import type { Dockerfile, Stage } from '../dockerfile/parse-dockerfile.ts';

export interface Warning {
  readonly rule: string;
  readonly message: string;
  readonly line: number;
}

type Found = [rule: string, message: string, line: number];

const RESERVED = ['context', 'scratch'];
const SECRET_NAME = /(?:^|_)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:$|_)/i;
const NO_SECRET = /(?:^|_)public(?:$|_)/i;

export function checkDockerfile(dockerfile: Dockerfile): Warning[] {
  const found: Found[] = [
    ...dockerfile.emptyContinuations.map((line): Found => ['NoEmptyContinuation', 'Empty continuation line', line]),
    ...casing(dockerfile),
    ...stageNames(dockerfile.stages),
    ...dockerfile.stages.flatMap((stage) => [...checkFrom(stage), ...checkStage(stage)]),
  ];
  return found.map(([rule, message, line]) => ({ rule, message, line }));
}

/** All keywords in one case: that of the majority. */
function* casing({ stages, globalArgs }: Dockerfile): Generator<Found> {
  const all: Instruction[] = [...globalArgs, ...stages.flatMap(({ from, instructions }) => [from, ...instructions])];
  const lower = all.filter(({ keyword }) => keyword === keyword.toLowerCase()).length;
  const isLower = lower > all.length - lower;
  for (const { keyword, start } of all) {
    const wanted = isLower ? keyword.toLowerCase() : keyword.toUpperCase();
    if (keyword === wanted) continue;
    const message = `Command '${keyword}' should match the case of the command majority (${isLower ? 'lowercase' : 'uppercase'})`;
    yield ['ConsistentInstructionCasing', message, start.line];
  }
}

function* stageNames(stages: readonly Stage[]): Generator<Found> {
  const seen = new Set<string>();
  for (const { from, name } of stages) {
    if (name === undefined) continue;
    const { line } = from.start;
    if (seen.has(name))
      yield ['DuplicateStageName', `Duplicate stage name "${name}", stage names should be unique`, line];
    seen.add(name);
    if (RESERVED.includes(name))
      yield ['ReservedStageName', `Stage name should not use the same name as reserved stage "${name}"`, line];
    if (from.name !== name) yield ['StageNameCasing', `Stage name '${from.name!}' should be lowercase`, line];
    const as = from.asKeyword!;
    const isUpper = from.keyword === from.keyword.toUpperCase();
    if (as !== (isUpper ? as.toUpperCase() : as.toLowerCase())) {
      yield ['FromAsCasing', `'${as}' and '${from.keyword}' keywords' casing do not match`, line];
    }
  }
}

function* checkFrom({ from }: Stage): Generator<Found> {
  const { line } = from.start;
  if (from.platform !== undefined && /^\$\{?TARGETPLATFORM\}?$/.test(from.platform)) {
    yield [
      'RedundantTargetPlatform',
      `Setting platform to predefined ${from.platform} in FROM is redundant as this is the default behavior`,
      line,
    ];
  }
  if (from.platform !== undefined && !from.platform.includes('$')) {
    yield [
      'FromPlatformFlagConstDisallowed',
      `FROM --platform flag should not use constant value "${from.platform}"`,
      line,
    ];
  }
}

/** Of these the last one of a stage counts. */
const ONCE = ['cmd', 'entrypoint', 'healthcheck'] as const;

function* checkStage({ instructions }: Stage): Generator<Found> {
  for (const kind of ONCE) {
    const all = instructions.filter((instruction) => instruction.kind === kind);
    for (const { start } of all.slice(0, -1)) {
      const name = kind.toUpperCase();
      yield [
        'MultipleInstructionsDisallowed',
        `Multiple ${name} instructions should not be used in the same stage because only the last one will be used`,
        start.line,
      ];
    }
  }
  let hasWorkdir = false;
  let hasShell = false;
  for (const instruction of instructions) {
    if (instruction.kind === 'shell') hasShell = true;
    const { line } = instruction.start;
    if (instruction.kind === 'workdir') {
      const isRelative = !/^["']?[/$]/.test(instruction.value);
      if (isRelative && !hasWorkdir) {
        yield [
          'WorkdirRelativePath',
          `Relative workdir "${instruction.value}" can have unexpected results if the base image changes`,
          line,
        ];
      }
      hasWorkdir = true;
    }
    for (const [rule, message] of checkInstruction(instruction, hasShell)) yield [rule, message, line];
  }
}

function* checkInstruction(instruction: Instruction, hasShell: boolean): Generator<[rule: string, message: string]> {
  switch (instruction.kind) {
    case 'maintainer':
      yield ['MaintainerDeprecated', 'Maintainer instruction is deprecated in favor of using label'];
      return;
    case 'env':
    case 'label':
      for (const { key, legacy } of instruction.pairs) {
        const name = instruction.kind.toUpperCase();
        if (legacy === true) {
          yield [
            'LegacyKeyValueFormat',
            `"${name} key=value" should be used instead of legacy "${name} key value" format`,
          ];
        }
        if (instruction.kind === 'env') yield* checkSecret('ENV', key);
      }
      return;
    case 'arg':
      for (const { key } of instruction.args) yield* checkSecret('ARG', key);
      return;
    case 'cmd':
    case 'entrypoint':
      if (instruction.command.form === 'shell' && !hasShell) {
        const name = instruction.kind.toUpperCase();
        yield [
          'JSONArgsRecommended',
          `JSON arguments recommended for ${name} to prevent unintended behavior related to OS signals`,
        ];
      }
      return;
    case 'expose':
      for (const port of instruction.ports) {
        const protocol = port.split('/')[1];
        if (protocol !== undefined && protocol !== protocol.toLowerCase()) {
          yield ['ExposeProtoCasing', `Defined protocol '${port}' in EXPOSE instruction should be lowercase`];
        }
        if (/^[\d.]+:/.test(port) || /^\d+:\d+/.test(port)) {
          yield [
            'ExposeInvalidFormat',
            `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`,
          ];
        }
      }
      return;
    default:
  }
}

function* checkSecret(instruction: string, name: string): Generator<[rule: string, message: string]> {
  if (!SECRET_NAME.test(name) || NO_SECRET.test(name)) return;
  yield ['SecretsUsedInArgOrEnv', `Do not use ARG or ENV instructions for sensitive data (${instruction} "${name}")`];
}
