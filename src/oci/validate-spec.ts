import { CAPABILITY_NAMES } from './capabilities.ts';
import { InvalidInput } from './invalid-input.ts';
import { flag, integer, listOf, mapOf, oneOf, parseJson, record, type Shape, text, uint64 } from './json-shape.ts';
import { RLIMITS } from './rlimits.ts';
import {
  HOOK_KINDS,
  type Hook,
  type HookKind,
  IO_PRIORITY_CLASSES,
  NAMESPACE_TYPES,
  type Process,
  PROPAGATIONS,
  type Resources,
  type RuntimeSpec,
  SCHEDULER_FLAGS,
  SCHEDULER_POLICIES,
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
    listenerPath: absolutePath,
    listenerMetadata: text,
    syscalls: listOf(
      record({ names: listOf(text), action: oneOf(SECCOMP_ACTIONS) }, { errnoRet: errnoValue, args: seccompArgs }),
    ),
  },
);

const process: Shape<Process> = record(
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
    selinuxLabel: text,
    scheduler: record(
      { policy: oneOf(SCHEDULER_POLICIES) },
      {
        nice: integer(-20, 19),
        priority: integer(0, 99),
        flags: listOf(oneOf(SCHEDULER_FLAGS)),
        runtime: limit,
        deadline: limit,
        period: limit,
      },
    ),
    ioPriority: record({ class: oneOf(IO_PRIORITY_CLASSES) }, { priority: integer(0, 7) }),
  },
);

const major = integer(0, 0xfff);
const minor = integer(0, 0xfffff);
const rates = listOf(record({ major, minor, rate: limit }, {}));
const weight = integer(0, 10_000);
// Engines in Go write -1 where a rule has no number.
const anyNumber = integer(-1, 0xfffff);

const resources: Shape<Resources> = record(
  {},
  {
    devices: listOf(
      record({ allow: flag }, { type: oneOf(['a', 'b', 'c']), major: anyNumber, minor: anyNumber, access: text }),
    ),
    memory: record(
      {},
      {
        limit: bytes,
        reservation: bytes,
        swap: bytes,
        kernel: bytes,
        kernelTCP: bytes,
        swappiness: integer(0, 2 ** 64),
        disableOOMKiller: flag,
        checkBeforeUpdate: flag,
      },
    ),
    cpu: record(
      {},
      {
        shares: limit,
        quota: integer(-1, 2 ** 63),
        burst: limit,
        period: integer(0, 2 ** 53),
        realtimeRuntime: integer(-1, 2 ** 53),
        realtimePeriod: limit,
        cpus: text,
        mems: text,
        idle: integer(0, 1),
      },
    ),
    pids: record({ limit: integer(-1, 2 ** 63) }, {}),
    blockIO: record(
      {},
      {
        weight,
        leafWeight: weight,
        weightDevice: listOf(record({ major, minor }, { weight, leafWeight: weight })),
        throttleReadBpsDevice: rates,
        throttleWriteBpsDevice: rates,
        throttleReadIOPSDevice: rates,
        throttleWriteIOPSDevice: rates,
      },
    ),
    hugepageLimits: listOf(record({ pageSize: text, limit }, {})),
    network: record(
      {},
      {
        classID: integer(0, 0xffffffff),
        priorities: listOf(record({ name: text, priority: integer(0, 0xffffffff) }, {})),
      },
    ),
    rdma: mapOf(record({}, { hcaHandles: limit, hcaObjects: limit })),
    unified: mapOf(text),
  },
);

const clockOffset = record({}, { secs: integer(-(2 ** 53), 2 ** 53), nanosecs: integer(0, 999_999_999) });

const hookList: Shape<Hook[]> = listOf(
  record({ path: absolutePath }, { args: listOf(text), env: listOf(text), timeout: integer(1, 2 ** 31) }),
);
const hooks = record(
  {},
  Object.fromEntries(HOOK_KINDS.map((kind) => [kind, hookList])) as Record<HookKind, Shape<Hook[]>>,
);

const device = record(
  { type: oneOf(['c', 'b', 'u', 'p']), path: absolutePath },
  { major, minor, fileMode: integer(0, 0o177777), uid: id, gid: id },
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
    rootfsPropagation: oneOf(PROPAGATIONS),
    maskedPaths: listOf(absolutePath),
    readonlyPaths: listOf(absolutePath),
    mountLabel: text,
    intelRdt: record({}, {}),
    personality: record({ domain: oneOf(['LINUX', 'LINUX32']) }, {}),
    timeOffsets: record({}, { monotonic: clockOffset, boottime: clockOffset }),
  },
);

const spec: Shape<RuntimeSpec> = record(
  { ociVersion: supportedVersion },
  {
    process,
    root: record({ path: text }, { readonly: flag }),
    hostname: text,
    domainname: text,
    mounts: listOf(
      record(
        { destination: absolutePath },
        { type: text, source: text, options: listOf(text), uidMappings: mappings, gidMappings: mappings },
      ),
    ),
    annotations: mapOf(text),
    hooks,
    linux,
  },
);

/** The runtime spec in `value` (a parsed config.json); throws `InvalidInput` with the path of the first bad field. */
export function validateSpec(value: unknown): RuntimeSpec {
  return spec(value, '');
}

/** The process in `value` (of `exec --process`). */
export function validateProcess(value: unknown): Process {
  return process(value, '');
}

/** The limits in `value` (of `update --resources`). */
export function validateResources(value: unknown): Resources {
  return resources(value, '');
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
