/** Numbers of the kernel's interfaces that plans need, by header. Those that differ between architectures are functions. */

/** linux/sched.h */
export const CLONE = {
  NEWTIME: 0x00000080,
  NEWNS: 0x00020000,
  NEWCGROUP: 0x02000000,
  NEWUTS: 0x04000000,
  NEWIPC: 0x08000000,
  NEWUSER: 0x10000000,
  NEWPID: 0x20000000,
  NEWNET: 0x40000000,
  PARENT: 0x00008000,
} as const;

/** asm-generic/signal.h */
export const SIGCHLD = 17;
export const SIGKILL = 9;

/** linux/mount.h */
export const MS = {
  RDONLY: 1,
  NOSUID: 2,
  NODEV: 4,
  NOEXEC: 8,
  REMOUNT: 32,
  MOVE: 8192,
  NOATIME: 1024,
  BIND: 4096,
  REC: 16384,
  UNBINDABLE: 1 << 17,
  PRIVATE: 1 << 18,
  SLAVE: 1 << 19,
  SHARED: 1 << 20,
  RELATIME: 1 << 21,
  STRICTATIME: 1 << 24,
} as const;
export const MOUNT_ATTR = { RDONLY: 1, NOSUID: 2, NODEV: 4, NOEXEC: 8 } as const;
export const MNT_DETACH = 2;
export const OPEN_TREE_CLONE = 1;
export const MOVE_MOUNT_F_EMPTY_PATH = 0x4;
export const MOVE_MOUNT_T_EMPTY_PATH = 0x40;
export const FSCONFIG = { SET_FLAG: 0, SET_STRING: 1, CMD_CREATE: 6 } as const;

/** linux/fcntl.h. O_DIRECTORY and O_NOFOLLOW changed places on arm64 (arch/arm64/include/uapi/asm/fcntl.h). */
export const AT_FDCWD = -100;
export const AT_REMOVEDIR = 0x200;
export const AT_EMPTY_PATH = 0x1000;
export const AT_RECURSIVE = 0x8000;
export const O = {
  RDONLY: 0,
  WRONLY: 1,
  RDWR: 2,
  CREAT: 0o100,
  EXCL: 0o200,
  NOCTTY: 0o400,
  TRUNC: 0o1000,
  NONBLOCK: 0o4000,
  CLOEXEC: 0o2000000,
  PATH: 0o10000000,
  DIRECTORY: process.arch === 'arm64' ? 0o40000 : 0o200000,
  NOFOLLOW: process.arch === 'arm64' ? 0o100000 : 0o400000,
} as const;

/** linux/openat2.h */
export const RESOLVE = { NO_XDEV: 1, NO_MAGICLINKS: 2, NO_SYMLINKS: 4, BENEATH: 8, IN_ROOT: 16 } as const;

/** linux/stat.h */
export const S_IF = {
  SOCK: 0o140000,
  LNK: 0o120000,
  REG: 0o100000,
  BLK: 0o60000,
  DIR: 0o40000,
  CHR: 0o20000,
  FIFO: 0o10000,
} as const;

/** linux/prctl.h */
export const PR = {
  SET_PDEATHSIG: 1,
  SET_DUMPABLE: 4,
  SET_KEEPCAPS: 8,
  SET_NAME: 15,
  CAPBSET_DROP: 24,
  SET_NO_NEW_PRIVS: 38,
  CAP_AMBIENT: 47,
  CAP_AMBIENT_RAISE: 2,
  CAP_AMBIENT_CLEAR_ALL: 4,
} as const;

/** linux/keyctl.h */
export const KEYCTL_JOIN_SESSION_KEYRING = 1;

/** asm-generic/ioctls.h */
export const TIOC = {
  SCTTY: 0x540e,
  SWINSZ: 0x5414,
  GWINSZ: 0x5413,
  SPTLCK: 0x40045431,
  GPTPEER: 0x5441,
} as const;

/** linux/socket.h */
export const AF_UNIX = 1;
export const AF_NETLINK = 16;
export const SOCK = { STREAM: 1, RAW: 3, CLOEXEC: 0o2000000 } as const;
export const MSG_CMSG_CLOEXEC = 0x40000000;
export const MSG_NOSIGNAL = 0x4000;
