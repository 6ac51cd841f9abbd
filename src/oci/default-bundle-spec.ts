import { MASKED_PATHS, READONLY_PATHS } from './default-mounts.ts';
import type { Mount, RuntimeSpec } from './runtime-spec.ts';

const CAPABILITIES = ['CAP_AUDIT_WRITE', 'CAP_KILL', 'CAP_NET_BIND_SERVICE'];

/** The config.json that `spec` writes, as runc's: a shell on a terminal in namespaces of its own, with the least rights. */
export function defaultBundleSpec(rootless?: { readonly uid: number; readonly gid: number }): RuntimeSpec {
  const closed = ['nosuid', 'noexec', 'nodev'];
  const sysfs: Mount =
    rootless === undefined
      ? { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...closed, 'ro'] }
      : { destination: '/sys', type: 'none', source: '/sys', options: ['rbind', ...closed, 'ro'] };
  const pts = ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'];
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ['sh'],
      env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'TERM=xterm'],
      cwd: '/',
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
      rlimits: [{ type: 'RLIMIT_NOFILE', hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: 'rootfs', readonly: true },
    hostname: 'trun',
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      {
        destination: '/dev',
        type: 'tmpfs',
        source: 'tmpfs',
        options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
      },
      {
        destination: '/dev/pts',
        type: 'devpts',
        source: 'devpts',
        options: rootless === undefined ? [...pts, 'gid=5'] : pts,
      },
      {
        destination: '/dev/shm',
        type: 'tmpfs',
        source: 'shm',
        options: [...closed, 'mode=1777', 'size=65536k'],
      },
      { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: closed },
      sysfs,
      {
        destination: '/sys/fs/cgroup',
        type: 'cgroup',
        source: 'cgroup',
        options: [...closed, 'relatime', 'ro'],
      },
    ].filter(({ destination }) => rootless === undefined || destination !== '/sys/fs/cgroup'),
    linux: {
      ...(rootless === undefined
        ? { resources: { devices: [{ allow: false, access: 'rwm' }] } }
        : {
            uidMappings: [{ containerID: 0, hostID: rootless.uid, size: 1 }],
            gidMappings: [{ containerID: 0, hostID: rootless.gid, size: 1 }],
          }),
      namespaces: [
        { type: 'pid' },
        ...(rootless === undefined ? [{ type: 'network' as const }] : [{ type: 'user' as const }]),
        { type: 'ipc' },
        { type: 'uts' },
        { type: 'mount' },
        { type: 'cgroup' },
      ],
      maskedPaths: [...MASKED_PATHS],
      readonlyPaths: [...READONLY_PATHS],
    },
  };
}
