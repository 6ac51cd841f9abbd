import type { Mount } from './runtime-spec.ts';

/** What decides how the kernel's file systems are shown in a container. */
export interface MountChoices {
  /** The container has a network namespace of its own; without one the kernel refuses a new sysfs. */
  ownNetwork: boolean;
  /** Absent: namespaces of its own. `none`: no /dev/shm. */
  ipc?: 'host' | 'none' | undefined;
  pid?: 'host' | undefined;
  /** Groups 0 up to this are mapped: 1 where the container has a single id. */
  mappedGroups: number;
  /** Show the container's own cgroup, read-only; needs cgroup v2. */
  cgroup: boolean;
  /** Bytes of /dev/shm. */
  shmSize: number;
}

/** Group `tty` in every distribution, to which pseudo-terminals belong. */
const TTY_GROUP = 5;

export const DEFAULT_SHM_SIZE = 64 * 1024 * 1024;

/** The mounts that every container has, as Docker's: proc, dev, pts, sys, mqueue and shm. */
export function defaultMounts({ ownNetwork, mappedGroups, cgroup, shmSize, ipc, pid }: MountChoices): Mount[] {
  const closed = ['nosuid', 'noexec', 'nodev'];
  const sysfs: Mount = ownNetwork
    ? { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...closed, 'ro'] }
    : { destination: '/sys', type: 'bind', source: '/sys', options: ['rbind', ...closed, 'ro'] };
  const mounts: Mount[] = [
    // A new procfs is for who owns the pid namespace (proc(5)): the host's is bound.
    pid === 'host'
      ? { destination: '/proc', type: 'bind', source: '/proc', options: ['rbind', ...closed] }
      : { destination: '/proc', type: 'proc', source: 'proc', options: closed },
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
      options: [
        'nosuid',
        'noexec',
        'newinstance',
        'ptmxmode=0666',
        'mode=0620',
        ...(mappedGroups > TTY_GROUP ? [`gid=${TTY_GROUP}`] : []),
      ],
    },
    sysfs,
    ipc === 'host'
      ? { destination: '/dev/mqueue', type: 'bind', source: '/dev/mqueue', options: ['bind', ...closed] }
      : { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: closed },
  ];
  if (ipc === 'host') {
    mounts.push({ destination: '/dev/shm', type: 'bind', source: '/dev/shm', options: ['bind', ...closed] });
  } else if (ipc === undefined) {
    const options = [...closed, 'mode=1777', `size=${shmSize}`];
    mounts.push({ destination: '/dev/shm', type: 'tmpfs', source: 'shm', options });
  }
  // Below a bound /sys the host's cgroup file system is there already, shown from the container's cgroup namespace.
  if (cgroup && ownNetwork) {
    mounts.push({ destination: '/sys/fs/cgroup', type: 'cgroup2', source: 'cgroup', options: [...closed, 'ro'] });
  }
  return mounts;
}

/** Hidden from containers: they tell of the host or reach into it. Docker's list. */
export const MASKED_PATHS: readonly string[] = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];

/** Read-only in containers. Docker's list. */
export const READONLY_PATHS: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];
