import { CAPABILITY_NAMES } from '../capabilities.ts';
import { InvalidInput } from '../invalid-input.ts';
import { integer, listOf, oneOf, parseJson, record, text } from '../json-shape.ts';
import {
  SECCOMP_ACTIONS,
  SECCOMP_FLAGS,
  type SeccompAction,
  type SeccompArg,
  type SeccompFlag,
} from '../runtime-spec.ts';
import { seccompArgs } from '../validate-spec.ts';

/**
 * A seccomp profile in Docker's JSON format: the runtime spec's, plus rules that count only with some capabilities, on
 * some architectures, from some kernel on.
 */
export interface SeccompProfile {
  defaultAction: SeccompAction;
  defaultErrnoRet?: number;
  /** Either this, as in the runtime spec … */
  architectures?: string[];
  /** … or the architectures that go with a native one. */
  archMap?: { architecture: string; subArchitectures?: string[] }[];
  flags?: SeccompFlag[];
  syscalls: SyscallRule[];
}

export interface SyscallRule {
  names: string[];
  action: SeccompAction;
  errnoRet?: number;
  args?: SeccompArg[];
  /** The rule counts where all of this holds … */
  includes?: RuleFilter;
  /** … and none of that. */
  excludes?: RuleFilter;
}

export interface RuleFilter {
  /** As `CAP_SYS_ADMIN`: all of them for `includes`, any for `excludes`. */
  caps?: string[];
  /** Go's names (`amd64`, `arm64`, …): any of them. */
  arches?: string[];
  /** As `4.8`. */
  minKernel?: string;
}

const errnoValue = integer(0, 0xffff);

const ruleFilter = record(
  {},
  { caps: listOf(oneOf(CAPABILITY_NAMES)), arches: listOf(text), minKernel: kernelVersion },
);

const profile = record(
  { defaultAction: oneOf(SECCOMP_ACTIONS) },
  {
    defaultErrnoRet: errnoValue,
    architectures: listOf(text),
    archMap: listOf(record({ architecture: text }, { subArchitectures: listOf(text) })),
    flags: listOf(oneOf(SECCOMP_FLAGS)),
    syscalls: listOf(
      record(
        { action: oneOf(SECCOMP_ACTIONS) },
        {
          name: text,
          names: listOf(text),
          errnoRet: errnoValue,
          args: seccompArgs,
          includes: ruleFilter,
          excludes: ruleFilter,
          comment: text,
        },
      ),
    ),
  },
);

/** The profile in `json`, the text of the file `name` given as `--security-opt seccomp=FILE`. */
export function readProfile(json: string, name: string): SeccompProfile {
  const document = parseJson(json, name);
  try {
    const { syscalls = [], ...rest } = profile(document, '');
    if ((rest.architectures?.length ?? 0) > 0 && (rest.archMap?.length ?? 0) > 0) {
      throw new InvalidInput("both 'architectures' and 'archMap' are specified in the seccomp profile, use either one");
    }
    return {
      ...rest,
      syscalls: syscalls.map(({ name: single, names = [], ...rule }, i) => {
        if (single !== undefined && names.length > 0) {
          throw new InvalidInput(`syscalls[${i}]: both 'name' and 'names' are specified, use either one`);
        }
        return { ...rule, names: single === undefined ? names : [single] };
      }),
    };
  } catch (error) {
    if (error instanceof InvalidInput) throw new InvalidInput(`${name}: ${error.message}`);
    throw error;
  }
}

function kernelVersion(value: unknown, path: string): string {
  const version = text(value, path);
  if (!/^\d+\.\d+$/.test(version)) throw new InvalidInput(`${path}: must be MAJOR.MINOR, not '${version}'`);
  return version;
}
