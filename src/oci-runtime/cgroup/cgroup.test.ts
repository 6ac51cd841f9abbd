import { expect, test } from 'vitest';
import { deviceProgram } from './device-program.ts';
import { deviceRules, type FullRule, ruleLine } from './device-rules.ts';
import { parseHierarchies } from './hierarchies.ts';
import { filesOfV1, filesOfV2 } from './resource-files.ts';
import { unitName } from './systemd-unit.ts';
import { cgroupFolders } from './container-cgroups.ts';

const V2_MOUNT = '30 24 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw';

test('version 2: the own cgroup below where it is mounted', () => {
  expect(parseHierarchies('0::/user.slice/a\n', V2_MOUNT)).toEqual({
    version: 2,
    mountPoint: '/sys/fs/cgroup',
    own: '/sys/fs/cgroup/user.slice/a',
  });
  expect(parseHierarchies('0::/\n', '1 0 0:1 / / rw - ext4 /dev/sda rw')).toEqual({ version: 0 });
});

test('a hybrid host counts as version 1, each hierarchy with its own path and root', () => {
  const mounts = [
    '31 24 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct',
    '32 24 0:29 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
    '33 24 0:30 / /sys/fs/cgroup/systemd rw - cgroup systemd rw,xattr,name=systemd',
    V2_MOUNT.replace('/sys/fs/cgroup ', '/sys/fs/cgroup/unified '),
  ].join('\n');
  const own = '5:cpu,cpuacct:/a\n4:memory:/docker/x/b\n1:name=systemd:/s\n0::/u\n';
  const hierarchies = parseHierarchies(own, mounts);
  expect(hierarchies).toEqual({
    version: 1,
    hierarchies: [
      {
        controllers: ['cpu', 'cpuacct'],
        mountPoint: '/sys/fs/cgroup/cpu,cpuacct',
        own: '/sys/fs/cgroup/cpu,cpuacct/a',
      },
      { controllers: ['memory'], mountPoint: '/sys/fs/cgroup/memory', own: '/sys/fs/cgroup/memory/b' },
      { controllers: ['name=systemd'], mountPoint: '/sys/fs/cgroup/systemd', own: '/sys/fs/cgroup/systemd/s' },
    ],
  });
  expect(cgroupFolders(hierarchies, 'id')).toMatchObject({
    cpuacct: '/sys/fs/cgroup/cpu,cpuacct/a/id',
    memory: '/sys/fs/cgroup/memory/b/id',
  });
  expect(cgroupFolders(hierarchies, '/x/../../../etc')['memory']).toBe('/sys/fs/cgroup/memory/etc');
});

test('limits of version 2: swap alone, shares as weight, -1 as max', () => {
  const files = filesOfV2({
    memory: { limit: 100, swap: 150, reservation: 50 },
    cpu: { shares: 1024, quota: 50_000, period: 100_000, cpus: '0-1' },
    pids: { limit: -1 },
    blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1000 }] },
    unified: { 'memory.high': '80' },
  });
  expect(Object.fromEntries(files.map(({ name, value }) => [name, value]))).toEqual({
    'memory.max': '100',
    'memory.swap.max': '50',
    'memory.low': '50',
    'cpu.weight': '39',
    'cpu.max': '50000 100000',
    'cpuset.cpus': '0-1',
    'pids.max': 'max',
    'io.max': '8:0 rbps=1000',
    'memory.high': '80',
  });
  expect(filesOfV2({ cpu: { quota: -1, period: 50_000 } })[0]?.value).toBe('max 50000');
  expect(filesOfV2({ cpu: { shares: 0, quota: 0, period: 0 }, memory: { limit: 0 }, pids: { limit: 0 } })).toEqual([]);
});

test('limits of version 1', () => {
  const files = filesOfV1({ memory: { limit: 100, swap: 200, disableOOMKiller: true }, cpu: { shares: 2 } });
  expect(files.map(({ controller, name, value }) => `${controller} ${name}=${value}`)).toEqual([
    'memory memory.limit_in_bytes=100',
    'memory memory.memsw.limit_in_bytes=200',
    'memory memory.oom_control=1',
    'cpu cpu.shares=2',
  ]);
});

test('device rules: those of the spec, then what every container gets', () => {
  const rules = deviceRules(
    [{ allow: false, access: 'rwm' }],
    [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229 }],
  );
  expect(rules[0]).toEqual({ allow: false, type: 'a', major: undefined, minor: undefined, access: 'rwm' });
  expect(rules.map(ruleLine)).toEqual(
    expect.arrayContaining(['a', 'c *:* m', 'c 1:3 rwm', 'c 136:* rwm', 'c 10:229 rwm']),
  );
});

/** Executes a device program as the kernel would. */
function decide(program: Buffer, type: 'b' | 'c', access: number, major: number, minor: number): number {
  const context = [(access << 16) | (type === 'b' ? 1 : 2), major, minor];
  const registers = Array.from({ length: 6 }, () => 0);
  for (let at = 0; ; at++) {
    const [op, both] = [program.readUInt8(8 * at), program.readUInt8(8 * at + 1)];
    const [to, from] = [both & 15, both >> 4];
    const [offset, value] = [program.readInt16LE(8 * at + 2), program.readInt32LE(8 * at + 4)];
    if (op === 0x61) registers[to] = context[offset / 4]!;
    else if (op === 0xbf) registers[to] = registers[from]!;
    else if (op === 0xb7) registers[to] = value;
    else if (op === 0x57) registers[to]! &= value;
    else if (op === 0x77) registers[to] = registers[to]! >>> value;
    else if (op === 0x55) at += registers[to] === value ? 0 : offset;
    else if (op === 0x5d) at += registers[to] === registers[from] ? 0 : offset;
    else if (op === 0x95) return registers[0]!;
    else throw new Error(`operation ${op}`);
  }
}

test('the device program: the last rule that matches counts', () => {
  function rule(allow: boolean, type: FullRule['type'], major?: number, minor?: number, access = 'rwm'): FullRule {
    return { allow, type, major, minor, access };
  }
  const [mknod, read, write] = [1, 2, 4];
  const program = deviceProgram([
    rule(true, 'c', 1, 3),
    rule(false, 'a'),
    rule(true, 'c', 1, 3),
    rule(true, 'b', 8, undefined, 'rm'),
  ]);
  expect(decide(program, 'c', read | write, 1, 3)).toBe(1);
  expect(decide(program, 'c', read, 1, 5)).toBe(0);
  expect(decide(program, 'b', read, 8, 77)).toBe(1);
  expect(decide(program, 'b', write, 8, 77)).toBe(0);
  expect(decide(program, 'b', mknod | read, 8, 0)).toBe(1);
  expect(decide(deviceProgram([rule(true, 'a')]), 'b', write, 8, 0)).toBe(1);
  expect(decide(deviceProgram([]), 'c', read, 1, 3)).toBe(0);
});

test('systemd’s names', () => {
  expect(unitName('machine.slice:libpod:x', 'id', true)).toEqual({ slice: 'machine.slice', scope: 'libpod-x.scope' });
  expect(unitName(':crio:x', 'id', false)).toEqual({ slice: 'user.slice', scope: 'crio-x.scope' });
  expect(unitName('', 'id', true)).toEqual({ slice: 'system.slice', scope: 'trun-id.scope' });
  expect(() => unitName('/a/b', 'id', true)).toThrow('slice:prefix:name');
});
