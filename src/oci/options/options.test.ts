import { describe, expect, test } from 'vitest';
import { parseAddHost } from './add-host.ts';
import { parseEnv, parseEnvFile } from './env.ts';
import { parseHostname } from './hostname.ts';
import { parseLabel } from './label.ts';
import { mergeLimits, parseLimits, parseLimitUpdate } from './limits.ts';
import { parseMount } from './mount.ts';
import { parsePublish } from './publish.ts';
import { parseSecurityOptions } from './security-opt.ts';
import { parseSize } from './size.ts';
import { parseTmpfs } from './tmpfs.ts';
import { parseUlimit } from './ulimit.ts';
import { parseVolume } from './volume.ts';

describe('sizes', () => {
  test.each([
    ['1048576', 1048576],
    ['32b', 32],
    ['64k', 65536],
    ['64m', 64 * 2 ** 20],
    ['1.5g', 1.5 * 2 ** 30],
    ['2GB', 2 ** 31],
    ['2 GiB', 2 ** 31],
    ['1t', 2 ** 40],
    ['0', 0],
  ])('%s', (text, bytes) => expect(parseSize(text)).toBe(bytes));

  test.each([
    ['', "invalid size: ''"],
    ['m', "invalid size: 'm'"],
    ['-1', "invalid size: '-1'"],
    ['1e3', "invalid size: '1e3'"],
    ['10x', "invalid suffix: 'x'"],
    ['10bb', "invalid suffix: 'bb'"],
    ['99999999999999999999', "invalid size: '99999999999999999999'"],
  ])('refuses %s', (text, message) => expect(() => parseSize(text)).toThrow(message));
});

describe('limits', () => {
  test('are read together', () => {
    expect(parseLimits({ memory: '64m', 'memory-swap': '-1', cpus: '1.5', 'pids-limit': '100' }, 2)).toEqual({
      memory: 64 * 2 ** 20,
      memorySwap: -1,
      cpus: 1.5,
      pids: 100,
    });
    expect(parseLimits({ cpus: '1/2' }, 2)).toEqual({ cpus: 0.5 });
    expect(parseLimits({ memory: '0', cpus: '0', 'pids-limit': '-1' }, 2)).toEqual({});
    expect(parseLimitUpdate({ 'pids-limit': '-1', 'cpu-quota': '-1' }, 2)).toEqual({ pids: -1, cpuQuota: -1 });
    expect(
      parseLimits(
        {
          memory: '64m',
          'memory-reservation': '32m',
          'cpu-shares': '512',
          'cpu-quota': '5000',
          'cpu-period': '10000',
          'cpuset-cpus': '0-1',
          'blkio-weight': '300',
          'device-read-bps': ['/dev/sda:1mb'],
          'device-write-iops': ['/dev/sda:100'],
        },
        2,
      ),
    ).toEqual({
      memory: 64 * 2 ** 20,
      memoryReservation: 32 * 2 ** 20,
      cpuShares: 512,
      cpuQuota: 5000,
      cpuPeriod: 10_000,
      cpusetCpus: '0-1',
      blkioWeight: 300,
      deviceReadBps: [{ device: '/dev/sda', value: 2 ** 20 }],
      deviceWriteIops: [{ device: '/dev/sda', value: 100 }],
    });
  });

  test.each([
    [{ memory: '5m' }, 'Minimum memory limit allowed is 6MB'],
    [{ 'memory-swap': '1g' }, 'You should always set the Memory limit when using Memoryswap limit, see usage'],
    [{ memory: '1g', 'memory-swap': '512m' }, 'Minimum memoryswap limit should be larger than memory limit, see usage'],
    [{ cpus: 'x' }, 'failed to parse x as a rational number'],
    [{ cpus: '1/0' }, 'failed to parse 1/0 as a rational number'],
    [{ cpus: '0.0000000001' }, 'value is too precise'],
    [{ cpus: '3' }, 'range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available'],
    [{ cpus: '-1' }, 'range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available'],
    [{ 'pids-limit': 'many' }, "invalid pids limit: 'many'"],
    [
      { memory: '8m', 'memory-reservation': '9m' },
      'Minimum memory limit can not be less than memory reservation limit',
    ],
    [{ cpus: '1', 'cpu-quota': '5000' }, 'Conflicting options: Nano CPUs and CPU Quota cannot both be set'],
    [{ 'cpu-period': '10' }, 'CPU cfs period can not be less than 1ms'],
    [{ 'cpuset-cpus': '0-9' }, 'Requested CPUs are not available - requested 0-9, available: 0-1'],
    [{ 'cpuset-cpus': '1-0' }, "failed to parse '1-0'"],
    [{ 'blkio-weight': '5' }, 'Range of blkio weight is from 10 to 1000'],
    [{ 'device-read-bps': ['sda:1'] }, 'bad format for device path: sda:1'],
    [{ 'device-write-iops': ['/dev/sda:1mb'] }, 'invalid rate for device: /dev/sda:1mb'],
  ])('refuses %o', (options, message) => expect(() => parseLimits(options, 2)).toThrow(message));
});

describe('an update of limits', () => {
  test('leaves what it does not name, and takes one kind of processor limit for the other', () => {
    expect(mergeLimits({ memory: 8 << 20, cpus: 1 }, { pids: 5 })).toEqual({ memory: 8 << 20, cpus: 1, pids: 5 });
    expect(mergeLimits({ cpus: 1 }, { cpuQuota: 5000 })).toEqual({ cpuQuota: 5000 });
    expect(mergeLimits({ cpuQuota: 5000, cpuPeriod: 9000 }, { cpus: 2 })).toEqual({ cpus: 2 });
  });

  test('is refused where it contradicts what is there', () => {
    expect(() => mergeLimits({ memory: 8 << 20, memorySwap: 9 << 20 }, { memory: 10 << 20 })).toThrow(
      'Memory limit should be smaller than already set memoryswap limit',
    );
  });
});

describe('ulimits', () => {
  test('have a soft and a hard limit', () => {
    expect(parseUlimit('nofile=1024:2048')).toEqual({ type: 'RLIMIT_NOFILE', soft: 1024, hard: 2048 });
    expect(parseUlimit('core=0')).toEqual({ type: 'RLIMIT_CORE', soft: 0, hard: 0 });
    expect(parseUlimit('memlock=-1')).toEqual({ type: 'RLIMIT_MEMLOCK', soft: 2 ** 64, hard: 2 ** 64 });
  });

  test.each([
    ['nofile', 'invalid ulimit argument: nofile'],
    ['files=1', 'invalid ulimit type: files'],
    ['as=1', 'invalid ulimit type: as'],
    ['NOFILE=1', 'invalid ulimit type: NOFILE'],
    ['nofile=1:2:3', 'too many limit value arguments - 1:2:3, can only have up to two, `soft[:hard]`'],
    ['nofile=x', 'invalid ulimit value: "x"'],
    ['nofile=5:4', 'ulimit soft limit must be less than or equal to hard limit: 5 > 4'],
    ['nofile=-1:4', 'ulimit soft limit must be less than or equal to hard limit: -1 > 4'],
  ])('refuses %s', (text, message) => expect(() => parseUlimit(text)).toThrow(message));
});

describe('variables', () => {
  const host = { SHELL: '/bin/sh', EMPTY: '' };

  test('come with a value, from our environment, or bare', () => {
    expect(parseEnv('A=1=2', host)).toBe('A=1=2');
    expect(parseEnv('A=', host)).toBe('A=');
    expect(parseEnv('SHELL', host)).toBe('SHELL=/bin/sh');
    expect(parseEnv('EMPTY', host)).toBe('EMPTY=');
    expect(parseEnv('NONE', host)).toBe('NONE');
    expect(() => parseEnv('=1', host)).toThrow('invalid environment variable: =1');
    expect(() => parseEnv('', host)).toThrow('invalid environment variable: ');
  });

  test('can be read from a file', () => {
    const text = '\uFEFF# comment\n\n  A=1 \nB="quoted # value"\r\nSHELL\nNONE\n';
    expect(parseEnvFile(Buffer.from(text), 'f', host)).toEqual(['A=1 ', 'B="quoted # value"', 'SHELL=/bin/sh']);
    expect(() => parseEnvFile(Buffer.from('A B=1\n'), 'f', host)).toThrow(
      "poorly formatted environment: variable 'A B' contains whitespaces",
    );
    expect(() => parseEnvFile(Buffer.from('\n=1\n'), 'f', host)).toThrow(
      "poorly formatted environment: no variable name on line '=1' (f:2)",
    );
    expect(() => parseEnvFile(Buffer.from([0x41, 0x3d, 0xff]), 'f', host)).toThrow(
      'env file f contains invalid utf8 bytes',
    );
  });

  test('labels need a name only', () => {
    expect(parseLabel('a=b=c')).toEqual(['a', 'b=c']);
    expect(parseLabel('a')).toEqual(['a', '']);
    expect(() => parseLabel('=b')).toThrow("invalid label '=b': empty name");
  });
});

describe('ports', () => {
  function tcp(hostPorts: [number, number], containerPort: number, hostIp = ''): object {
    return {
      hostIp,
      hostPorts,
      containerPort,
      protocol: 'tcp',
    };
  }

  test.each([
    ['80', [tcp([0, 0], 80)]],
    ['8080:80', [tcp([8080, 8080], 80)]],
    ['127.0.0.1:8080:80', [tcp([8080, 8080], 80, '127.0.0.1')]],
    ['127.0.0.1::80', [tcp([0, 0], 80, '127.0.0.1')]],
    ['[::1]:8080:80', [tcp([8080, 8080], 80, '::1')]],
    ['::1:8080:80', [tcp([8080, 8080], 80, '::1')]],
    ['8000-8001:80-81', [tcp([8000, 8000], 80), tcp([8001, 8001], 81)]],
    ['8000-8010:80', [tcp([8000, 8010], 80)]],
    ['80-81', [tcp([0, 0], 80), tcp([0, 0], 81)]],
    ['53:53/UDP', [{ hostIp: '', hostPorts: [53, 53], containerPort: 53, protocol: 'udp' }]],
    ['published=8080,target=80,protocol=tcp,mode=host', [tcp([8080, 8080], 80)]],
  ])('%s', (text, ports) => expect(parsePublish(text)).toEqual(ports));

  test.each([
    ['', 'no port specified: <empty>'],
    ['8080:', 'no port specified: 8080:<empty>'],
    ['8080:/tcp', 'no port specified: 8080:/tcp<empty>'],
    ['a', 'invalid containerPort: a'],
    ['0', 'invalid containerPort: 0'],
    ['65536', 'invalid containerPort: 65536'],
    ['81-80', 'invalid containerPort: 81-80'],
    ['x:80', 'invalid hostPort: x'],
    ['80/sctp', 'invalid proto: sctp'],
    ['1.2.3:80:80', 'invalid IP address: 1.2.3'],
    ['localhost:80:80', 'invalid IP address: localhost'],
    ['8080-8081:80-82', 'invalid ranges specified for container and host Ports: 80-82 and 8080-8081'],
    ['target=80,published', "invalid publish opts format (should be name=value but got 'published')"],
    ['published=80', `missing mandatory field '"target"'`],
    ['target=80,what=1', "invalid publish opt: 'what'"],
  ])('refuses %s', (text, message) => expect(() => parsePublish(text)).toThrow(message));
});

describe('volumes', () => {
  const bind = { type: 'bind', readOnly: false, propagation: 'rprivate', recursive: true, createSource: true };
  const volume = { type: 'volume', readOnly: false, noCopy: false, labels: {} };

  test.each([
    ['/a:/b', { ...bind, source: '/a', target: '/b' }],
    ['/a:/b/../c/:ro', { ...bind, source: '/a', target: '/c', readOnly: true }],
    ['./x:/b:ro,rshared,z', { ...bind, source: '/home/me/x', target: '/b', readOnly: true, propagation: 'rshared' }],
    ['data:/b', { ...volume, source: 'data', target: '/b' }],
    ['data:/b:nocopy,ro', { ...volume, source: 'data', target: '/b', noCopy: true, readOnly: true }],
    ['/b', { ...volume, source: '', target: '/b' }],
  ])('%s', (text, mount) => expect(parseVolume(text, '/home/me')).toEqual(mount));

  test.each([
    ['', 'invalid spec: : empty section between colons'],
    [':/b', 'invalid spec: :/b: empty section between colons'],
    ['a:b:c:d', 'invalid spec: a:b:c:d: too many colons'],
    [
      '/a:b',
      `invalid volume specification: '/a:b': invalid mount config for type "bind": invalid mount path: 'b' mount path must be absolute`,
    ],
    ['/a:/', `invalid mount config for type "bind": invalid specification: destination can't be '/'`],
    ['/a:/b:rwx', 'invalid mode: rwx'],
    ['/a:/b:ro,rw', 'invalid mode: ro,rw'],
    ['data:/b:rshared', 'invalid mode: rshared'],
    ['a/b:/c', 'create a/b: "a/b" includes invalid characters for a local volume name'],
  ])('refuses %s', (text, message) => expect(() => parseVolume(text, '/')).toThrow(message));
});

describe('mounts', () => {
  const bind = { type: 'bind', readOnly: false, propagation: 'rprivate', recursive: true, createSource: false };
  const volume = { type: 'volume', readOnly: false, noCopy: false, labels: {} };

  test.each([
    ['type=bind,src=/a,dst=/b,ro', { ...bind, source: '/a', target: '/b', readOnly: true }],
    [
      'type=bind,"source=/a,b",target=/b,bind-propagation=rslave,bind-nonrecursive',
      { ...bind, source: '/a,b', target: '/b', propagation: 'rslave', recursive: false },
    ],
    ['source=data,destination=/b,readonly=false', { ...volume, source: 'data', target: '/b' }],
    [
      'target=/b,volume-nocopy,volume-label=a=b',
      { ...volume, source: '', target: '/b', noCopy: true, labels: { a: 'b' } },
    ],
    [
      'type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1770',
      { type: 'tmpfs', target: '/t', options: ['noexec', 'nosuid', 'nodev', 'size=1048576', 'mode=1770'] },
    ],
  ])('%s', (text, mount) => expect(parseMount(text)).toEqual(mount));

  test.each([
    ['type=bind,src=/a', 'target is required'],
    ['type=,target=/b', 'type is required'],
    ['type=bind,target', "invalid field 'target' must be a key=value pair"],
    ['type=bind,constructor=1', "unexpected key 'constructor' in 'constructor=1'"],
    ['type=bind,target=/b,src=/a,readonly=maybe', 'invalid value for readonly: maybe'],
    ['type=bind,target=/b,src=/a,volume-nocopy', "cannot mix 'volume-*' options with mount type 'bind'"],
    ['type=bind,target=/b', 'invalid mount config for type "bind": field Source must not be empty'],
    [
      'type=bind,target=/b,src=a',
      `invalid mount config for type "bind": invalid mount path: 'a' mount path must be absolute`,
    ],
    ['type=npipe,target=/b', 'mount type unknown: "npipe"'],
    ['target=/b,volume-driver=nfs', 'volume driver "nfs" is not supported: only "local" is'],
    ['target=/b,"source=x', `misplaced quote in 'target=/b,"source=x'`],
  ])('refuses %s', (text, message) => expect(() => parseMount(text)).toThrow(message));

  test('of memory take what tmpfs takes', () => {
    const options = ['noexec', 'nosuid', 'nodev', 'size=64m', 'mode=1777', 'exec'];
    expect(parseTmpfs('/run:size=64m,mode=1777,exec')).toEqual({ type: 'tmpfs', target: '/run', options });
    expect(() => parseTmpfs('/run:size=big')).toThrow('invalid tmpfs option "size=big"');
    expect(() => parseTmpfs('/run:lowerdir=/')).toThrow('invalid tmpfs option "lowerdir=/"');
    expect(() => parseTmpfs('run')).toThrow("invalid mount path: 'run' mount path must be absolute");
  });
});

describe('other options', () => {
  test('--security-opt', () => {
    expect(parseSecurityOptions([])).toMatchObject({
      seccomp: 'default',
      noNewPrivileges: false,
      systemPathsUnconfined: false,
    });
    expect(parseSecurityOptions(['no-new-privileges', 'seccomp=/p.json', 'apparmor=unconfined'])).toMatchObject({
      seccomp: { file: '/p.json' },
      noNewPrivileges: true,
      systemPathsUnconfined: false,
    });
    expect(
      parseSecurityOptions(['seccomp:unconfined', 'systempaths=unconfined', 'no-new-privileges=false']),
    ).toMatchObject({
      seccomp: 'unconfined',
      noNewPrivileges: false,
      systemPathsUnconfined: true,
    });
    expect(() => parseSecurityOptions(['what=1'])).toThrow('invalid --security-opt: "what=1"');
    expect(() => parseSecurityOptions(['seccomp'])).toThrow('invalid --security-opt: "seccomp"');
    expect(() => parseSecurityOptions(['apparmor=mine'])).toThrow('loading security labels takes root');
  });

  test('--add-host', () => {
    expect(parseAddHost('db:10.0.0.1')).toEqual({ name: 'db', address: '10.0.0.1' });
    expect(parseAddHost('db=[::1]')).toEqual({ name: 'db', address: '::1' });
    expect(parseAddHost('me:host-gateway')).toEqual({ name: 'me', address: 'host-gateway' });
    expect(() => parseAddHost('db')).toThrow('bad format for add-host: "db"');
    expect(() => parseAddHost('db:x')).toThrow('invalid IP address in add-host: "x"');
  });

  test('--hostname', () => {
    for (const name of ['a', 'web-1', 'web.example.org', 'a_b']) expect(parseHostname(name)).toBe(name);
    for (const name of ['', '-a', 'a..b', 'a b', 'a/b', '.a', 'x'.repeat(65)]) {
      expect(() => parseHostname(name)).toThrow('invalid hostname format for --hostname');
    }
  });
});
