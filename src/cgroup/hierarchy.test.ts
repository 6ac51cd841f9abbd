import { describe, expect, test } from 'vitest';
import { parseHierarchy } from './hierarchy.ts';

const mount = '32 23 0:26 / /sys/fs/cgroup rw,nosuid shared:10 - cgroup2 cgroup2 rw,nsdelegate\n';
const noise = '22 1 8:1 / / rw - ext4 /dev/vda rw\n23 22 0:21 / /sys rw - sysfs sysfs rw\n';

describe('where we stand', () => {
  test('in the unified hierarchy', () => {
    expect(parseHierarchy('0::/user.slice/session-2.scope\n', noise + mount)).toEqual({
      version: 2,
      mountPoint: '/sys/fs/cgroup',
      own: '/sys/fs/cgroup/user.slice/session-2.scope',
    });
    expect(parseHierarchy('0::/\n', mount)).toMatchObject({ own: '/sys/fs/cgroup' });
  });

  test('below a mount of a part of it', () => {
    const part = '32 23 0:26 /pod /cg\\040roup rw - cgroup2 cgroup2 rw\n';
    expect(parseHierarchy('0::/pod/a\n', part)).toEqual({ version: 2, mountPoint: '/cg roup', own: '/cg roup/a' });
    expect(parseHierarchy('0::/other\n', part)).toMatchObject({ version: 0 });
    expect(parseHierarchy('0::/other\n', part + mount)).toMatchObject({ own: '/sys/fs/cgroup/other' });
  });

  test('not, when our cgroup is outside of the namespace', () => {
    expect(parseHierarchy('0::/../x\n', mount)).toMatchObject({ version: 0 });
  });

  test('not, when nothing is mounted', () => {
    expect(parseHierarchy('0::/a\n', noise)).toEqual({
      version: 0,
      reason: 'no cgroup v2 file system is mounted that shows our cgroup',
    });
    expect(parseHierarchy('', noise)).toEqual({ version: 0, reason: 'this kernel has no cgroup v2' });
  });

  test('in version 1, also beside an empty version 2', () => {
    const hybrid = '12:pids:/a\n4:cpu,cpuacct:/a\n3:memory:/a\n1:name=systemd:/a\n0::/a\n';
    const reason = 'this host has its cgroup controllers in version 1';
    expect(parseHierarchy(hybrid, mount)).toEqual({ version: 1, reason });
    expect(parseHierarchy('1:name=systemd:/a\n0::/a\n', mount)).toMatchObject({ version: 2 });
  });
});
