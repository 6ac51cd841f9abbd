import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import {
  checkDevice,
  checkFileSystem,
  checkIdMap,
  checkKernel,
  checkLandlock,
  checkLowPorts,
  checkPing,
  checkRuntimeFolder,
  checkYama,
  explainNoNamespaces,
} from './doctor-checks.ts';
import type { Host } from './doctor-host.ts';

function host(files: Readonly<Record<string, string>> = {}, rest: Partial<Host> = {}): Host {
  return {
    release: '6.1.0-18-amd64',
    env: {},
    gid: 1000,
    userName: 'ann',
    read: (path) => files[path],
    access: () => 'granted',
    fileSystem: () => 0xef53,
    ...rest,
  };
}

test.each([
  ['6.1.0-18-amd64', 'ok'],
  ['5.6.0', 'ok'],
  ['5.10.0-28-amd64', 'ok'],
  ['5.4.0-100-generic', 'missing'],
  ['4.18.0-553.el8.x86_64', 'missing'],
  ['10.0', 'ok'],
])('kernel %s is %s', (release, status) => {
  expect(checkKernel(host({}, { release })).status).toBe(status);
});

test.each([
  [
    '/proc/sys/user/max_user_namespaces',
    '0',
    'user.max_user_namespaces=0',
    'sudo sysctl -w user.max_user_namespaces=15000',
  ],
  [
    '/proc/sys/kernel/unprivileged_userns_clone',
    '0',
    'kernel.unprivileged_userns_clone=0',
    'sudo sysctl -w kernel.unprivileged_userns_clone=1',
  ],
])('no user namespaces by %s', (file, value, setting, mend) => {
  const found = explainNoNamespaces(host({ [file]: value }), 'Cannot');
  expect(found).toMatchObject({ status: 'missing', detail: `forbidden by ${setting}`, mend });
});

test('no user namespaces by AppArmor: the profile, or the sysctl for a path that a profile and a shell would misread', () => {
  const restricted = host({ '/proc/sys/kernel/apparmor_restrict_unprivileged_userns': '1' });
  const { detail, mend } = explainNoNamespaces(restricted, 'Cannot', '/opt/trun/node');
  expect(detail).toBe('forbidden by kernel.apparmor_restrict_unprivileged_userns=1');
  const [printing, tee] = mend!.split(' | ');
  expect(tee).toBe('sudo tee /etc/apparmor.d/trun && sudo apparmor_parser -r /etc/apparmor.d/trun');
  expect(execFileSync('sh', ['-c', printing!], { encoding: 'utf8' }).split('\n')).toEqual([
    'abi <abi/4.0>,',
    'include <tunables/global>',
    'profile trun /opt/trun/node flags=(unconfined) { userns, }',
    '',
  ]);
  expect(explainNoNamespaces(restricted, 'Cannot', "/it's/node").mend).toBe(
    'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0',
  );
});

test('no user namespaces for no reason that settings tell', () => {
  expect(explainNoNamespaces(host(), 'Cannot make a user namespace')).toMatchObject({
    status: 'missing',
    detail: 'Cannot make a user namespace',
  });
});

test('ids', () => {
  const uid = [
    { inside: 0, outside: 1000, count: 1 },
    { inside: 1, outside: 100_000, count: 65_536 },
  ];
  expect(checkIdMap({ kind: 'range', uid, gid: uid }, host())).toMatchObject({
    status: 'ok',
    detail: '65537 ids by newuidmap and newgidmap',
  });
  const single = { kind: 'single', uid: uid.slice(0, 1), gid: uid.slice(0, 1) } as const;
  expect(checkIdMap({ ...single, reason: '/etc/subuid has no line for ann' }, host())).toMatchObject({
    status: 'limited',
    mend: 'sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ann',
  });
  expect(checkIdMap({ ...single, reason: 'newuidmap and newgidmap are not installed' }, host()).mend).toMatch(/uidmap/);
});

test('devices', () => {
  expect(checkDevice(host(), '/dev/fuse', 'missing', 'no images')).toMatchObject({ status: 'ok' });
  expect(checkDevice(host({}, { access: () => 'denied' }), '/dev/fuse', 'missing', 'no images')).toMatchObject({
    status: 'missing',
    detail: 'permission denied: no images',
    mend: 'sudo chmod 0666 /dev/fuse',
  });
  expect(checkDevice(host({}, { access: () => 'absent' }), '/dev/net/tun', 'limited', 'no network').mend).toMatch(
    /^sudo modprobe tun/,
  );
});

test('folders', () => {
  expect(checkFileSystem(host(), '/home/ann/.config/trun').detail).toBe('/home/ann/.config/trun on ext4');
  expect(checkFileSystem(host({}, { fileSystem: () => 0x6969 }), '/home').status).toBe('limited');
  // statfs(2) gives a signed number on some architectures.
  expect(checkFileSystem(host({}, { fileSystem: () => 0x9123683e | 0 }), '/home').detail).toContain('btrfs');
  expect(checkRuntimeFolder(host({}, { env: { XDG_RUNTIME_DIR: '/run/user/1' } }), '/run/user/1/trun').detail).toBe(
    '/run/user/1',
  );
  expect(checkRuntimeFolder(host(), '/home/run').detail).toBe('is not set: /home/run serves as well');
});

test.each([
  ['0\t2147483647', 'ok'],
  ['1000 1000', 'ok'],
  ['1\t0', 'limited'],
  ['0 999', 'limited'],
  [undefined, 'limited'],
])('ping_group_range %j is %s', (range, status) => {
  const files = range === undefined ? {} : { '/proc/sys/net/ipv4/ping_group_range': range };
  expect(checkPing(host(files)).status).toBe(status);
});

test('low ports and Yama', () => {
  expect(checkLowPorts(host({ '/proc/sys/net/ipv4/ip_unprivileged_port_start': '0' })).detail).toBe('any port');
  expect(checkLowPorts(host()).detail).toMatch(/^from 1024 up; .*sysctl/);
  expect(checkYama(host({ '/proc/sys/kernel/yama/ptrace_scope': '3' })).status).toBe('missing');
  expect(checkYama(host({ '/proc/sys/kernel/yama/ptrace_scope': '1' })).status).toBe('ok');
});

test('Landlock is an additional wall: a kernel without it will do', () => {
  expect(checkLandlock(7).status).toBe('ok');
  expect(checkLandlock(7).detail).toContain('version 7');
  expect(checkLandlock(0).status).toBe('ok');
  expect(checkLandlock(0).detail).toContain('without');
});
