import { describe, expect, test } from 'vitest';
import { resolveCommand } from './command.ts';
import { execEnvironment, mergeEnvironment } from './environment.ts';
import { type ContainerInput, containerSpec } from './image-to-spec.ts';
import { resolveUser } from './user.ts';
import { readSpec, validateSpec } from './validate-spec.ts';

const input: ContainerInput = {
  id: '0123456789abcdef'.repeat(4),
  image: { Env: ['PATH=/bin', 'A=image'], Cmd: ['sh'], User: 'www', WorkingDir: 'srv', Labels: { l: '1' } },
  users: { passwd: 'root:x:0:0::/root:/bin/sh\nwww:x:33:33:web:/var/www:\n', group: 'www:x:33:\naudio:x:29:x,www\n' },
  rootfs: '/rootfs',
  options: {},
  mounts: [{ destination: '/data', type: 'bind', source: '/host', options: ['rbind', 'ro'] }],
  choices: { ownNetwork: true, mappedGroups: 65536, cgroup: false },
};

function spec(options: ContainerInput['options'], rest: Partial<ContainerInput> = {}) {
  return containerSpec({ ...input, ...rest, options });
}

describe('the spec of a container', () => {
  test('is valid, and made from the image', () => {
    const result = spec({});
    expect(validateSpec(JSON.parse(JSON.stringify(result)))).toEqual(result);
    expect(result.hostname).toBe('0123456789ab');
    expect(result.process).toMatchObject({
      args: ['sh'],
      cwd: '/srv',
      env: ['PATH=/bin', 'HOSTNAME=0123456789ab', 'A=image', 'HOME=/var/www'],
      user: { uid: 33, gid: 33, additionalGids: [33, 29] },
      noNewPrivileges: false,
    });
    expect(result.process?.capabilities?.bounding).toHaveLength(14);
    expect(result.mounts?.map(({ destination }) => destination)).toEqual([
      '/proc',
      '/dev',
      '/dev/pts',
      '/sys',
      '/dev/mqueue',
      '/dev/shm',
      '/data',
    ]);
    expect(result.linux?.resources).toBeUndefined();
  });

  test('follows the options', () => {
    const result = spec({
      args: ['ls', '-l'],
      entrypoint: '/bin/busybox',
      env: ['A=user', 'PATH', 'B=2'],
      tty: true,
      hostname: 'web',
      user: '1000:audio',
      workdir: '/tmp',
      readOnly: true,
      ulimits: [
        { type: 'RLIMIT_NOFILE', soft: 1, hard: 1 },
        { type: 'RLIMIT_NOFILE', soft: 2, hard: 3 },
      ],
      limits: { memory: 64 * 2 ** 20, cpus: 1.5, pids: 10 },
      capDrop: ['all'],
      capAdd: ['net_admin'],
    });
    expect(result.process).toMatchObject({
      args: ['/bin/busybox', 'ls', '-l'],
      env: ['HOSTNAME=web', 'TERM=xterm', 'A=user', 'B=2', 'HOME=/'],
      user: { uid: 1000, gid: 29, additionalGids: [29] },
      cwd: '/tmp',
      rlimits: [{ type: 'RLIMIT_NOFILE', soft: 2, hard: 3 }],
      capabilities: { bounding: ['CAP_NET_ADMIN'] },
      terminal: true,
    });
    expect(result.root?.readonly).toBe(true);
    expect(result.linux?.resources).toEqual({
      memory: { limit: 64 * 2 ** 20, swap: 128 * 2 ** 20 },
      cpu: { quota: 150000, period: 100000 },
      pids: { limit: 10 },
    });
    expect(() => spec({ workdir: 'tmp' })).toThrow(
      "the working directory 'tmp' is invalid, it needs to be an absolute path",
    );
  });

  test('asks for nothing that the namespaces would refuse', () => {
    const narrow = spec({}, { choices: { ownNetwork: false, mappedGroups: 1, cgroup: false } });
    expect(narrow.mounts?.find(({ destination }) => destination === '/sys')).toMatchObject({
      type: 'bind',
      source: '/sys',
    });
    expect(narrow.mounts?.find(({ destination }) => destination === '/dev/pts')?.options).not.toContain('gid=5');
    expect(narrow.linux?.namespaces).not.toContainEqual({ type: 'network' });
    expect(narrow.linux?.sysctl).toBeUndefined();
    const one = spec({}, { choices: { ownNetwork: true, mappedGroups: 1, cgroup: false } });
    expect(one.linux?.sysctl?.['net.ipv4.ping_group_range']).toBe('0 0');
  });

  test('shows all of /proc when asked to', () => {
    expect(spec({ systemPathsUnconfined: true }).linux).toMatchObject({ maskedPaths: [], readonlyPaths: [] });
    expect(spec({}).linux?.maskedPaths).toContain('/proc/kcore');
  });
});

describe("Docker's rules for the command", () => {
  const image = { Entrypoint: ['/entry'], Cmd: ['default'] };

  test.each([
    [[], undefined, ['/entry', 'default']],
    [['a'], undefined, ['/entry', 'a']],
    [[], '/other', ['/other']],
    [['a'], '/other', ['/other', 'a']],
    [['a'], '', ['a']],
  ])('arguments %o, entrypoint %s', (args, entrypoint, expected) => {
    expect(resolveCommand(image, args, entrypoint)).toEqual(expected);
  });

  test('something must be left to run', () => {
    expect(() => resolveCommand(image, [], '')).toThrow('no command specified');
    expect(() => resolveCommand({ Entrypoint: null, Cmd: null }, [])).toThrow('no command specified');
  });
});

test('environments: image over defaults, user over image, a bare name unsets', () => {
  const sources = {
    image: ['A=1', 'TERM=dumb'],
    user: ['A=2', 'A=3', 'HOSTNAME'],
    hostname: 'h',
    tty: true,
    home: '/root',
  };
  expect(mergeEnvironment(sources)).toEqual([
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'TERM=dumb',
    'A=3',
    'HOME=/root',
  ]);
  expect(mergeEnvironment({ ...sources, user: ['HOME=/x'] })).toContain('HOME=/x');
  expect(execEnvironment(['A=1', 'B=2'], ['A=9', 'B'], true)).toEqual(['TERM=xterm', 'A=9']);
});

describe('users', () => {
  const users = {
    passwd:
      '# comment\nroot:x:0:0:root:/root:/bin/sh\n\nbroken\nann:x:1000:100:Ann:/home/ann:/bin/sh\n7:x:70:70::/seven:\n',
    group: 'root:x:0:\nusers:x:100:\nwheel:x:10:root,ann\nvideo:x:44:ann\n',
  };

  test.each([
    ['', { uid: 0, gid: 0, additionalGids: [0, 10], home: '/root' }],
    ['ann', { uid: 1000, gid: 100, additionalGids: [100, 10, 44], home: '/home/ann' }],
    ['1000', { uid: 1000, gid: 100, additionalGids: [100, 10, 44], home: '/home/ann' }],
    ['ann:wheel', { uid: 1000, gid: 10, additionalGids: [10], home: '/home/ann' }],
    ['ann:5', { uid: 1000, gid: 5, additionalGids: [5], home: '/home/ann' }],
    ['1234', { uid: 1234, gid: 0, additionalGids: [0], home: '/' }],
    ['1234:1234', { uid: 1234, gid: 1234, additionalGids: [1234], home: '/' }],
    // A number is a number, even where a user is called so.
    ['7', { uid: 7, gid: 0, additionalGids: [0], home: '/' }],
  ])('%s', (spec, expected) => expect(resolveUser(spec, users)).toEqual(expected));

  test('images without account files have root and numbers', () => {
    expect(resolveUser('', {})).toEqual({ uid: 0, gid: 0, additionalGids: [0], home: '/' });
    expect(resolveUser('5:6', {})).toMatchObject({ uid: 5, gid: 6 });
  });

  test('--group-add', () => {
    expect(resolveUser('ann', users, ['video', '7'])).toMatchObject({ additionalGids: [100, 10, 44, 7] });
    expect(() => resolveUser('ann', users, ['none'])).toThrow(
      'unable to find group none: no matching entries in group file',
    );
  });

  test.each([
    ['foo', 'unable to find user foo: no matching entries in passwd file'],
    ['ann:bar', 'unable to find group bar: no matching entries in group file'],
    ['-1', 'unable to find user -1: no matching entries in passwd file'],
    ['4294967296', 'uids and gids must be in range 0-2147483647'],
  ])('refuses %s', (spec, message) => expect(() => resolveUser(spec, users)).toThrow(message));
});

describe('config.json', () => {
  const minimal = { ociVersion: '1.2.0', process: { user: { uid: 0, gid: 0 }, args: ['sh'], cwd: '/' } };

  test('may hold values of 64 bits', () => {
    const text = JSON.stringify({ ...minimal, linux: { seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] } } });
    const rule = `{"names":["read"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":18446744073709551615,"op":"SCMP_CMP_EQ"}]}`;
    const parsed = readSpec(text.replace('"syscalls":[]', `"syscalls":[${rule}]`));
    expect(parsed.linux?.seccomp?.syscalls?.[0]?.args?.[0]?.value).toBe(0xffffffffffffffffn);
  });

  test.each<[object, string]>([
    [{}, 'config.json: ociVersion: is missing'],
    [{ ociVersion: '2.0.0' }, 'config.json: ociVersion: version 2.0.0 is not supported (1.x is)'],
    [{ ...minimal, process: { ...minimal.process, args: [] } }, 'config.json: process.args: must not be empty'],
    [
      { ...minimal, process: { ...minimal.process, cwd: 'x' } },
      "config.json: process.cwd: must be an absolute path, not 'x'",
    ],
    [
      { ...minimal, process: { ...minimal.process, env: ['A'] } },
      "config.json: process.env[0]: must be NAME=value, not 'A'",
    ],
    [
      { ...minimal, process: { ...minimal.process, args: ['a\0b'] } },
      'config.json: process.args[0]: must not contain a NUL byte',
    ],
    [{ ...minimal, mounts: [{ destination: 5 }] }, 'config.json: mounts[0].destination: must be a string, not 5'],
    [
      { ...minimal, linux: { namespaces: [{ type: 'pid' }, { type: 'pid' }] } },
      'config.json: linux.namespaces[1].type: there is already a namespace of type pid',
    ],
    [
      { ...minimal, linux: { namespaces: [{ type: 'x' }] } },
      'config.json: linux.namespaces[0].type: must be one of pid, ',
    ],
    [
      { ...minimal, linux: { uidMappings: [{ containerID: -1, hostID: 0, size: 1 }] } },
      'config.json: linux.uidMappings[0].containerID: must be an integer from 0 to 4294967294, not -1',
    ],
  ])('refuses %o', (value, message) => expect(() => readSpec(JSON.stringify(value))).toThrow(message));

  test('must be JSON', () => expect(() => readSpec('{"a":')).toThrow(/^config.json: not valid JSON: /));
});
