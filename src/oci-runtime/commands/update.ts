import { readFileSync } from 'node:fs';
import type { FlagValues } from '../../cli/flags/flag.ts';
import { parseJson } from '../../oci/json-shape.ts';
import type { Resources } from '../../oci/runtime-spec.ts';
import { validateResources } from '../../oci/validate-spec.ts';
import { ContainerCgroups } from '../cgroup/container-cgroups.ts';
import { runtimeCommand } from '../command.ts';
import { ContainerFolder, statusOf } from '../container-record.ts';
import { RuntimeError } from '../runtime-error.ts';

const FLAGS = {
  resources: { kind: 'text', short: 'r', help: 'file with the runtime spec’s linux.resources; - is stdin' },
  'blkio-weight': { kind: 'integer', help: '10 to 1000' },
  'cpu-period': { kind: 'integer', help: 'microseconds' },
  'cpu-quota': { kind: 'integer', help: 'microseconds of each period' },
  'cpu-burst': { kind: 'integer', help: 'microseconds' },
  'cpu-share': { kind: 'integer', help: 'relative weight' },
  'cpu-rt-period': { kind: 'integer', help: 'microseconds' },
  'cpu-rt-runtime': { kind: 'integer', help: 'microseconds' },
  'cpuset-cpus': { kind: 'text', help: 'as 0-3,7' },
  'cpuset-mems': { kind: 'text', help: 'as 0-1' },
  'cpu-idle': { kind: 'integer', help: '0 or 1' },
  memory: { kind: 'text', help: 'bytes' },
  'memory-reservation': { kind: 'text', help: 'bytes' },
  'memory-swap': { kind: 'text', help: 'bytes of memory and swap; -1 is unlimited' },
  'kernel-memory': { kind: 'text', help: 'ignored: the kernel has no such limit any more', hidden: true },
  'kernel-memory-tcp': { kind: 'text', help: 'bytes' },
  'pids-limit': { kind: 'integer', help: 'processes; -1 is unlimited' },
  'l3-cache-schema': { kind: 'text', help: 'Intel RDT', unsupported: 'Intel RDT is not supported' },
  'mem-bw-schema': { kind: 'text', help: 'Intel RDT', unsupported: 'Intel RDT is not supported' },
} as const;

export const update = runtimeCommand({
  usage: 'update [--resources FILE] ID',
  flags: FLAGS,
  args: [1, 1],
  run({ surroundings, args: [id = ''], flags }) {
    const folder = new ContainerFolder(surroundings.root, id);
    const record = folder.read();
    if (statusOf(folder, record) === 'stopped') throw new RuntimeError('cannot update a stopped container');
    if (record.cgroup.version === 0) throw new RuntimeError('cannot update a container without cgroups');
    new ContainerCgroups(record.cgroup).limit(wanted(flags));
    return 0;
  },
});

function wanted(flags: FlagValues<typeof FLAGS>): Resources {
  const { resources: file } = flags;
  if (file !== undefined)
    return validateResources(parseJson(readFileSync(file === '-' ? 0 : file, 'utf8'), '--resources'));
  const memory = defined({
    limit: bytes('memory', flags.memory),
    reservation: bytes('memory-reservation', flags['memory-reservation']),
    swap: bytes('memory-swap', flags['memory-swap']),
    kernelTCP: bytes('kernel-memory-tcp', flags['kernel-memory-tcp']),
  });
  const cpu = defined({
    shares: flags['cpu-share'],
    quota: flags['cpu-quota'],
    period: flags['cpu-period'],
    burst: flags['cpu-burst'],
    realtimePeriod: flags['cpu-rt-period'],
    realtimeRuntime: flags['cpu-rt-runtime'],
    cpus: flags['cpuset-cpus'],
    mems: flags['cpuset-mems'],
    idle: flags['cpu-idle'],
  });
  const pids = flags['pids-limit'];
  const weight = flags['blkio-weight'];
  return validateResources(
    defined({
      memory,
      cpu,
      pids: pids === undefined ? undefined : { limit: pids },
      blockIO: weight === undefined ? undefined : { weight },
    }),
  );
}

const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1 << 10, m: 1 << 20, g: 1 << 30 };

function bytes(name: string, text: string | undefined): number | undefined {
  if (text === undefined || text === '-1') return text === undefined ? undefined : -1;
  const [, digits, unit = ''] = /^(\d+)([bkmg]?)$/i.exec(text) ?? [];
  if (digits === undefined) throw new RuntimeError(`--${name}: must be a number of bytes, as 64m, not '${text}'`);
  return Number(digits) * UNITS[unit.toLowerCase()]!;
}

function defined<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>;
}
