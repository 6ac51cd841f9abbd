import { CAPABILITY_NAMES } from './capabilities.ts';
import { InvalidInput } from './invalid-input.ts';
import { flag, integer, listOf, mapOf, oneOf, parseJson, record, type Shape, text, uint64 } from './json-shape.ts';
import { RLIMITS } from './rlimits.ts';
import {
  NAMESPACE_TYPES,
  type RuntimeSpec,
  SECCOMP_ACTIONS,
  SECCOMP_FLAGS,
  SECCOMP_OPERATORS,
  type Seccomp,
} from './runtime-spec.ts';

const id = integer(0, 0xffffffff - 1);
const bytes = integer(-1, 2 ** 63);
const limit = integer(0, 2 ** 64);
const errnoValue = integer(0, 0xffff);
const capabilities = listOf(oneOf(CAPABILITY_NAMES));
const mappings = listOf(record({ containerID: id, hostID: id, size: integer(1, 0xffffffff) }, {}));

export const seccompArgs = listOf(
  record({ index: integer(0, 5), value: uint64, op: oneOf(SECCOMP_OPERATORS) }, { valueTwo: uint64 }),
);

const seccomp: Shape<Seccomp> = record(
  { defaultAction: oneOf(SECCOMP_ACTIONS) },
  {
    defaultErrnoRet: errnoValue,
    architectures: listOf(text),
    flags: listOf(oneOf(SECCOMP_FLAGS)),
    syscalls: listOf(
      record({ names: listOf(text), action: oneOf(SECCOMP_ACTIONS) }, { errnoRet: errnoValue, args: seccompArgs }),
    ),
  },
);

const process = record(
  {
    user: record({ uid: id, gid: id }, { umask: integer(0, 0o7777), additionalGids: listOf(id) }),
    args: nonEmpty(listOf(text)),
    cwd: absolutePath,
  },
  {
    terminal: flag,
    consoleSize: record({ height: integer(0, 0xffff), width: integer(0, 0xffff) }, {}),
    env: listOf(assignment),
    capabilities: record(
      {},
      {
        bounding: capabilities,
        effective: capabilities,
        inheritable: capabilities,
        permitted: capabilities,
        ambient: capabilities,
      },
    ),
    rlimits: listOf(record({ type: oneOf(Object.keys(RLIMITS)), soft: limit, hard: limit }, {})),
    noNewPrivileges: flag,
    oomScoreAdj: integer(-1000, 1000),
    apparmorProfile: text,
  },
);

const resources = record(
  {},
  {
    memory: record({}, { limit: bytes, reservation: bytes, swap: bytes }),
    cpu: record(
      {},
      { shares: limit, quota: integer(-1, 2 ** 53), period: integer(1, 1_000_000), cpus: text, mems: text },
    ),
    pids: record({ limit: integer(-1, 2 ** 53) }, {}),
  },
);

const device = record(
  { type: oneOf(['c', 'b', 'u', 'p']), path: absolutePath },
  { major: integer(0, 0xfff), minor: integer(0, 0xfffff), fileMode: integer(0, 0o177777), uid: id, gid: id },
);

const linux = record(
  {},
  {
    uidMappings: mappings,
    gidMappings: mappings,
    sysctl: mapOf(text),
    resources,
    cgroupsPath: text,
    namespaces: distinctTypes(listOf(record({ type: oneOf(NAMESPACE_TYPES) }, { path: absolutePath }))),
    devices: listOf(device),
    seccomp,
    rootfsPropagation: oneOf(['shared', 'slave', 'private', 'unbindable']),
    maskedPaths: listOf(absolutePath),
    readonlyPaths: listOf(absolutePath),
  },
);

const spec: Shape<RuntimeSpec> = record(
  { ociVersion: supportedVersion },
  {
    process,
    root: record({ path: text }, { readonly: flag }),
    hostname: text,
    domainname: text,
    mounts: listOf(record({ destination: absolutePath }, { type: text, source: text, options: listOf(text) })),
    annotations: mapOf(text),
    linux,
  },
);

/** The runtime spec in `value` (a parsed config.json); throws `InvalidInput` with the path of the first bad field. */
export function validateSpec(value: unknown): RuntimeSpec {
  return spec(value, '');
}

/** Parses and validates the text of a config.json; `name` is what messages call the file. */
export function readSpec(json: string, name = 'config.json'): RuntimeSpec {
  try {
    return validateSpec(parseJson(json, name));
  } catch (error) {
    if (error instanceof InvalidInput && !error.message.startsWith(name)) {
      throw new InvalidInput(`${name}: ${error.message}`);
    }
    throw error;
  }
}

function absolutePath(value: unknown, path: string): string {
  const checked = text(value, path);
  if (!checked.startsWith('/')) throw new InvalidInput(`${path}: must be an absolute path, not '${checked}'`);
  return checked;
}

function assignment(value: unknown, path: string): string {
  const checked = text(value, path);
  if (checked.indexOf('=') < 1) throw new InvalidInput(`${path}: must be NAME=value, not '${checked}'`);
  return checked;
}

function supportedVersion(value: unknown, path: string): string {
  const checked = text(value, path);
  if (!/^1\.\d+\.\d+/.test(checked)) throw new InvalidInput(`${path}: version ${checked} is not supported (1.x is)`);
  return checked;
}

function nonEmpty<T>(list: Shape<T[]>): Shape<T[]> {
  return (value, path) => {
    const checked = list(value, path);
    if (checked.length === 0) throw new InvalidInput(`${path}: must not be empty`);
    return checked;
  };
}

function distinctTypes<T extends { type: string }>(list: Shape<T[]>): Shape<T[]> {
  return (value, path) => {
    const checked = list(value, path);
    for (const [i, { type }] of checked.entries()) {
      if (checked.findIndex((other) => other.type === type) !== i) {
        throw new InvalidInput(`${path}[${i}].type: there is already a namespace of type ${type}`);
      }
    }
    return checked;
  };
}
