import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ContainerRequest } from '../../engine/container.ts';
import { parseFlags } from '../flags/parse-flags.ts';
import { CONTAINER_FLAGS } from './container-flags.ts';
import { containerRequest } from './container-request.ts';

let cwd: string;

beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'trun-flags-'));
  writeFileSync(join(cwd, 'env'), '# comment\nF=1\nEXPORTED\nABSENT\n');
  writeFileSync(join(cwd, 'labels'), 'from=file\nbare\n');
  writeFileSync(join(cwd, 'seccomp.json'), '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}');
});

afterAll(() => rmSync(cwd, { recursive: true }));

function decode(...words: string[]): ContainerRequest {
  const { values, args } = parseFlags(CONTAINER_FLAGS, words, false);
  return containerRequest(values, args, { command: 'run', env: { EXPORTED: 'here' }, cwd });
}

test('an image alone', () => {
  expect(decode('debian')).toEqual({
    image: 'debian',
    options: {
      args: [],
      env: [],
      groupAdd: [],
      tty: false,
      readOnly: false,
      capAdd: [],
      capDrop: [],
      privileged: false,
      ulimits: [],
      limits: {},
      noNewPrivileges: false,
      systemPathsUnconfined: false,
    },
    mounts: [],
    ports: [],
    publishAll: false,
    network: 'bridge',
    networks: [{ network: 'bridge' }],
    extraHosts: [],
    dns: { servers: [], search: [], options: [] },
    labels: {},
    openStdin: false,
    autoRemove: false,
    init: false,
    seccomp: 'default',
    storage: { writable: 'auto' },
  });
});

describe('each flag', () => {
  test.each<[string[], object]>([
    [['--name', 'box'], { name: 'box' }],
    [['-it'], { openStdin: true, options: { tty: true } }],
    [['--rm'], { autoRemove: true }],
    [['--init'], { init: true }],
    [['-e', 'A=b', '-e', 'EXPORTED', '--env', 'ABSENT'], { options: { env: ['A=b', 'EXPORTED=here', 'ABSENT'] } }],
    [['-e', 'A=1', '--env-file', 'env'], { options: { env: ['F=1', 'EXPORTED=here', 'A=1'] } }],
    [['-w', '/work'], { options: { workdir: '/work' } }],
    [['-u', '1000:50'], { options: { user: '1000:50' } }],
    [['--group-add', 'video', '--group-add', '7'], { options: { groupAdd: ['video', '7'] } }],
    [['-h', 'one'], { options: { hostname: 'one' } }],
    [['--domainname', 'example.org'], { options: { domainname: 'example.org' } }],
    [['--entrypoint', '/bin/x'], { options: { entrypoint: '/bin/x' } }],
    [['--entrypoint', ''], { options: { entrypoint: '' } }],
    [['--read-only'], { options: { readOnly: true } }],
    [['--privileged'], { options: { privileged: true } }],
    [['--cap-add', 'NET_ADMIN', '--cap-drop=ALL'], { options: { capAdd: ['NET_ADMIN'], capDrop: ['ALL'] } }],
    [['--security-opt', 'no-new-privileges'], { options: { noNewPrivileges: true } }],
    [['--security-opt', 'systempaths=unconfined'], { options: { systemPathsUnconfined: true } }],
    [['--security-opt', 'seccomp=unconfined'], { seccomp: 'unconfined' }],
    [['--security-opt', 'seccomp=seccomp.json'], { seccomp: { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [] } }],
    [['--ulimit', 'nofile=10:20'], { options: { ulimits: [{ type: 'RLIMIT_NOFILE', soft: 10, hard: 20 }] } }],
    [['-m', '64m'], { options: { limits: { memory: 64 << 20 } } }],
    [['-m', '64m', '--memory-swap', '-1'], { options: { limits: { memory: 64 << 20, memorySwap: -1 } } }],
    [['--cpus', '0.5', '--pids-limit', '100'], { options: { limits: { cpus: 0.5, pids: 100 } } }],
    [['--pids-limit', '-1'], { options: { limits: {} } }],
    [['-c', '512', '--blkio-weight', '20'], { options: { limits: { cpuShares: 512, blkioWeight: 20 } } }],
    [['--restart', 'on-failure:3'], { restart: { name: 'on-failure', maximumRetryCount: 3 } }],
    [['--rm', '--restart=no'], { autoRemove: true, restart: { name: 'no' } }],
    [
      ['--health-cmd', 'x y', '--health-interval', '1m30s', '--health-retries', '2'],
      { health: { Test: ['CMD-SHELL', 'x y'], Interval: 90e9, Retries: 2 } },
    ],
    [['--no-healthcheck'], { health: 'none' }],
    [['--ipc', 'container:a', '--pid=host', '--uts=host'], { ipc: { container: 'a' }, pid: 'host', uts: 'host' }],
    [['--userns', 'keep-id'], { userns: 'keep-id' }],
    [['--device', '/dev/a:/dev/b:r'], { devices: [{ source: '/dev/a', target: '/dev/b' }] }],
    [['--device', 'v.com/gpu=0', '--gpus', 'all'], { cdi: ['v.com/gpu=0', 'nvidia.com/gpu=all'] }],
    [['--sysctl', 'net/ipv4/ip_forward=1'], { options: { sysctls: { 'net.ipv4.ip_forward': '1' } } }],
    [['--group-add', 'keep-groups'], { keepGroups: true, options: { groupAdd: [] } }],
    [
      ['--security-opt', 'unmask=ALL', '--security-opt', 'mask=/a:/b'],
      { options: { mask: ['/a', '/b'], unmask: ['ALL'] } },
    ],
    [['--volumes-from', 'x:ro', '--annotation', 'a=b'], { volumesFrom: ['x:ro'], annotations: { a: 'b' } }],
    [['--shm-size', '1g'], { options: { shmSize: 1 << 30 } }],
    [['--oom-score-adj', '-500'], { options: { oomScoreAdj: -500 } }],
    [['--stop-signal', 'INT', '--stop-timeout', '3'], { stopSignal: 'INT', stopTimeout: 3 }],
    [['-p', '8080:80', '-P'], { publishAll: true, ports: [{ hostPorts: [8080, 8080], containerPort: 80 }] }],
    [['-p', '127.0.0.1:53:53/udp'], { ports: [{ hostIp: '127.0.0.1', protocol: 'udp' }] }],
    [['-v', '/a:/b:ro'], { mounts: [{ type: 'bind', source: '/a', target: '/b', readOnly: true }] }],
    [['-v', 'data:/d'], { mounts: [{ type: 'volume', source: 'data', target: '/d' }] }],
    [['--mount', 'type=tmpfs,target=/t'], { mounts: [{ type: 'tmpfs', target: '/t' }] }],
    [['--tmpfs', '/run:size=1m'], { mounts: [{ type: 'tmpfs', target: '/run' }] }],
    [['--network', 'none'], { network: 'none' }],
    [['--net=host'], { network: 'host' }],
    [['--network', 'default'], { network: 'bridge' }],
    [['--network', 'container:box'], { network: 'container:box' }],
    [['--add-host', 'db:10.0.0.1'], { extraHosts: [{ address: '10.0.0.1', names: ['db'] }] }],
    [['--dns', '1.1.1.1', '--dns-search', 'x.y'], { dns: { servers: ['1.1.1.1'], search: ['x.y'], options: [] } }],
    [['--dns-option', 'a', '--dns-opt', 'b'], { dns: { servers: [], search: [], options: ['b', 'a'] } }],
    [['-l', 'a=b', '--label', 'c'], { labels: { a: 'b', c: '' } }],
    [['--label-file', 'labels', '-l', 'from=flag'], { labels: { from: 'flag' } }],
    [['--storage-opt', 'writable=fuse'], { storage: { writable: 'fuse' } }],
    [['--storage-opt', 'size=1g', '--storage-opt', 'inodes=10'], { storage: { size: 1 << 30, inodes: 10 } }],
    [['--no-healthcheck'], { image: 'image' }],
    [['--attach', 'stdout', '--cidfile', 'f', '--pull=never', '--platform', 'linux/amd64'], { image: 'image' }],
  ])('%j', (words, expected) => {
    expect(decode(...words, 'image')).toMatchObject(expected);
  });

  test('a bind below the working directory', () => {
    expect(decode('-v', './x:/y', 'image').mounts).toMatchObject([{ type: 'bind', source: join(cwd, 'x') }]);
  });
});

describe('arguments', () => {
  test('what follows the image is the command, flags and all', () => {
    expect(decode('--rm', 'image', 'ls', '-l', '--rm=false')).toMatchObject({
      image: 'image',
      autoRemove: true,
      options: { args: ['ls', '-l', '--rm=false'] },
    });
  });

  test('with --rootfs there is no image', () => {
    expect(decode('--rootfs', 'tree', 'sh', '-c', 'id')).toMatchObject({
      image: '',
      rootfs: join(cwd, 'tree'),
      options: { args: ['sh', '-c', 'id'] },
    });
  });
});

describe('what cannot be', () => {
  const processors = availableParallelism();
  test.each<[string[], string]>([
    [['--memory', 'lots'], `invalid argument "lots" for "-m, --memory" flag: invalid size: 'lots'`],
    [['--memory', '1m'], 'invalid argument "1m" for "-m, --memory" flag: Minimum memory limit allowed is 6MB'],
    [['--memory-swap', '1g'], 'You should always set the Memory limit when using Memoryswap limit, see usage'],
    [
      ['--cpus', '-1'],
      `invalid argument "-1" for "--cpus" flag: range of CPUs is from 0.01 to ${processors.toFixed(2)}, as there are only ${processors} CPUs available`,
    ],
    [['-e', '=x'], 'invalid argument "=x" for "-e, --env" flag: invalid environment variable: =x'],
    [['--env-file', 'no/file'], 'open no/file: no such file or directory'],
    [['--label-file', 'no/file'], 'open no/file: no such file or directory'],
    [['--security-opt', 'seccomp=no/file'], 'open no/file: no such file or directory'],
    [['-w', 'relative'], "the working directory 'relative' is invalid, it needs to be an absolute path"],
    [
      ['--hostname', 'a b'],
      'invalid argument "a b" for "-h, --hostname" flag: invalid hostname format for --hostname: a b',
    ],
    [['--dns', 'nobody'], 'invalid argument "nobody" for "--dns" flag: nobody is not an ip address'],
    [['--publish', '1:x'], 'invalid argument "1:x" for "-p, --publish" flag: invalid containerPort: x'],
    [
      ['--storage-opt', 'writable=paper'],
      `invalid argument "writable=paper" for "--storage-opt" flag: 'paper' has to be auto, kernel or fuse`,
    ],
    [
      ['--storage-opt', 'colour=red'],
      'invalid argument "colour=red" for "--storage-opt" flag: it has to be writable=…, size=… or inodes=…',
    ],
    [['--oom-score-adj', '2000'], 'Invalid value 2000, range for oom score adj is [-1000, 1000]'],
    [
      ['--network', 'container:x', '-p', '1:1'],
      'conflicting options: port publishing and the container type network mode',
    ],
    [['--network', 'container:x', '-h', 'y'], 'conflicting options: hostname and the network mode'],
    [['--device', 'kvm'], 'invalid argument "kvm" for "--device" flag: bad format for path: kvm'],
    [['--ipc', 'x'], 'invalid argument "x" for "--ipc" flag: invalid IPC mode'],
    [
      ['--userns', 'x'],
      `invalid argument "x" for "--userns" flag: invalid USER mode: 'x' is none of host, private, auto, keep-id`,
    ],
    [
      ['--sysctl', 'kernel.panic=1'],
      `invalid argument "kernel.panic=1" for "--sysctl" flag: sysctl 'kernel.panic=1' is not allowed: it is not of a namespace of the container's own`,
    ],
    [
      ['--sysctl', 'net...x=1'],
      `invalid argument "net...x=1" for "--sysctl" flag: sysctl 'net...x=1' is not of the form name=value`,
    ],
    [
      ['--security-opt', 'mask=proc'],
      'invalid argument "mask=proc" for "--security-opt" flag: invalid --security-opt: "mask=proc": paths have to be absolute',
    ],
    [
      ['--restart=sometimes'],
      `invalid argument "sometimes" for "--restart" flag: invalid restart policy: unknown policy 'sometimes'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
    ],
    [
      ['--restart=always:3'],
      `invalid argument "always:3" for "--restart" flag: invalid restart policy: maximum retry count can only be used with 'on-failure'`,
    ],
    [['--rm', '--restart=always'], 'conflicting options: cannot specify both --restart and --rm'],
    [['--health-interval=soon'], 'invalid argument "soon" for "--health-interval" flag: time: invalid duration "soon"'],
    [['--no-healthcheck', '--health-cmd=x'], '--no-healthcheck conflicts with --health-* options'],
    [
      ['--device-read-bps', 'sda:1'],
      'invalid argument "sda:1" for "--device-read-bps" flag: bad format for device path: sda:1',
    ],
  ])('%j', (words, message) => {
    expect(() => decode(...words, 'image')).toThrow(expect.objectContaining({ message }));
  });

  test('no image', () => {
    expect(() => decode('--rm')).toThrow('requires at least 1 argument');
    expect(() => decode('')).toThrow('invalid reference format');
  });
});

test('every flag of Docker that we do not have says so', () => {
  const unsupported = Object.entries(CONTAINER_FLAGS).filter(([, flag]) => 'unsupported' in flag);
  expect(unsupported.length).toBeGreaterThan(15);
  for (const [name] of unsupported) {
    expect(() => decode(`--${name}=1`, 'image')).toThrow(`--${name} is not supported: `);
  }
});
