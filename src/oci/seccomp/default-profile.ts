import type { SeccompArg } from '../runtime-spec.ts';
import type { SeccompProfile, SyscallRule } from './profile.ts';

/**
 * Docker's default profile (as moby has it in 2026): what ordinary programs need is allowed, everything else fails with
 * EPERM. Withheld is what only a privileged container has a use for and what has been a way out of containers: kernel
 * modules, mounts, new namespaces, bpf, perf, keyrings, userfaultfd, io_uring, AF_ALG and AF_VSOCK sockets.
 */

/** Allowed to everybody, whatever the arguments. A name stands for the call on every architecture that has it. */
const ALLOWED = `
  read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek _llseek close close_range
  open openat openat2 creat name_to_handle_at dup dup2 dup3 fcntl fcntl64 flock ioctl pipe pipe2
  access faccessat faccessat2 chmod fchmod fchmodat fchmodat2 umask
  chown chown32 fchown fchown32 fchownat lchown lchown32
  stat stat64 fstat fstat64 fstatat64 newfstatat lstat lstat64 statx
  statfs statfs64 fstatfs fstatfs64 statmount listmount
  getcwd chdir fchdir getdents getdents64 mkdir mkdirat rmdir mknod mknodat
  link linkat symlink symlinkat readlink readlinkat rename renameat renameat2 unlink unlinkat
  getxattr getxattrat fgetxattr lgetxattr listxattr listxattrat flistxattr llistxattr
  setxattr setxattrat fsetxattr lsetxattr removexattr removexattrat fremovexattr lremovexattr
  utime utimes utimensat utimensat_time64 futimesat
  truncate truncate64 ftruncate ftruncate64 fallocate copy_file_range sendfile sendfile64 splice tee vmsplice
  sync syncfs fsync fdatasync sync_file_range readahead fadvise64 fadvise64_64 cachestat
  inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark

  poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64
  epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2
  eventfd eventfd2 signalfd signalfd4
  io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64

  brk mmap mmap2 munmap mremap mprotect pkey_alloc pkey_free pkey_mprotect madvise mincore msync membarrier
  mlock mlock2 mlockall munlock munlockall mseal remap_file_pages map_shadow_stack memfd_create memfd_secret

  fork vfork execve execveat exit exit_group wait4 waitid waitpid restart_syscall rseq uretprobe
  kill tkill tgkill pause alarm pidfd_open pidfd_send_signal process_mrelease prctl seccomp
  landlock_create_ruleset landlock_add_rule landlock_restrict_self
  rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
  rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn
  futex futex_time64 futex_wait futex_waitv futex_wake futex_requeue get_robust_list set_robust_list
  set_tid_address get_thread_area set_thread_area riscv_hwprobe
  sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam
  sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min
  sched_rr_get_interval sched_rr_get_interval_time64 sched_yield getcpu
  getpriority setpriority ioprio_get ioprio_set getrlimit ugetrlimit setrlimit prlimit64 getrusage

  getpid getppid gettid getpgid getpgrp setpgid getsid setsid
  getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getgroups getgroups32
  getresuid getresuid32 getresgid getresgid32
  setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32
  setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32 capget capset

  time times gettimeofday nanosleep adjtimex getitimer setitimer
  clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
  clock_nanosleep clock_nanosleep_time64
  timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64
  timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime timerfd_settime64

  socketcall socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt
  send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64
  ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget
  mq_open mq_unlink mq_notify mq_getsetattr mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64

  uname sysinfo getrandom
`;

/** Allowed where the container has the capability that the kernel asks for anyway. */
const WITH_CAPABILITY = {
  CAP_DAC_READ_SEARCH: 'open_by_handle_at',
  CAP_SYS_ADMIN: `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr
    lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd
    setdomainname sethostname setns syslog umount umount2 unshare`,
  CAP_SYS_BOOT: 'reboot',
  CAP_SYS_CHROOT: 'chroot',
  CAP_SYS_MODULE: 'delete_module init_module finit_module',
  CAP_SYS_PACCT: 'acct',
  CAP_SYS_PTRACE: 'kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace',
  CAP_SYS_RAWIO: 'iopl ioperm',
  CAP_SYS_TIME: 'settimeofday stime clock_settime clock_settime64',
  CAP_SYS_TTY_CONFIG: 'vhangup',
  CAP_SYS_NICE: 'get_mempolicy mbind set_mempolicy set_mempolicy_home_node',
  CAP_SYSLOG: 'syslog',
  CAP_BPF: 'bpf',
  CAP_PERFMON: 'perf_event_open',
} as const;

/** Calls that only one family of processors has. */
const ON_ARCHITECTURE: readonly { arches: string[]; names: string }[] = [
  {
    arches: ['arm', 'arm64'],
    names: 'arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls',
  },
  { arches: ['amd64', 'x32'], names: 'arch_prctl' },
  { arches: ['amd64', 'x32', 'x86'], names: 'modify_ldt' },
];

/** linux/socket.h */
const AF_ALG = 38n;
const AF_VSOCK = 40n;

/** linux/personality.h: PER_LINUX, PER_LINUX32, each with and without UNAME26, and the query. */
const PERSONALITIES = [0x0n, 0x8n, 0x20000n, 0x20008n, 0xffffffffn];

/** linux/sched.h: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const CLONE_NAMESPACES = 0x7e020000n;

const EPERM = 1;
const ENOSYS = 38;

export const DEFAULT_PROFILE: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: EPERM,
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86', 'SCMP_ARCH_X32'] },
    { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: ['SCMP_ARCH_ARM'] },
  ],
  syscalls: [
    allow(ALLOWED),
    // Before 4.8 a tracer could change a call after the filter had seen it.
    { ...allow('process_vm_readv process_vm_writev ptrace'), includes: { minKernel: '4.8' } },
    // Any family but AF_ALG and AF_VSOCK: LT and GT alone would not tell them from AF_NFC between.
    allowIf('socket', { index: 0, op: 'SCMP_CMP_LT', value: AF_ALG }),
    allowIf('socket', { index: 0, op: 'SCMP_CMP_EQ', value: AF_ALG + 1n }),
    allowIf('socket', { index: 0, op: 'SCMP_CMP_GT', value: AF_VSOCK }),
    ...PERSONALITIES.map((value) => allowIf('personality', { index: 0, op: 'SCMP_CMP_EQ', value })),
    ...ON_ARCHITECTURE.map(({ arches, names }) => ({ ...allow(names), includes: { arches } })),
    ...Object.entries(WITH_CAPABILITY).map(([cap, names]) => ({ ...allow(names), includes: { caps: [cap] } })),
    {
      ...allowIf('clone', { index: 0, op: 'SCMP_CMP_MASKED_EQ', value: CLONE_NAMESPACES, valueTwo: 0n }),
      excludes: { caps: ['CAP_SYS_ADMIN'] },
    },
    // Its flags lie in memory, where no filter can read them; after ENOSYS C libraries fall back to clone.
    { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS, excludes: { caps: ['CAP_SYS_ADMIN'] } },
  ],
};

function allow(names: string): SyscallRule {
  return { names: names.trim().split(/\s+/), action: 'SCMP_ACT_ALLOW' };
}

function allowIf(name: string, test: SeccompArg): SyscallRule {
  return { names: [name], action: 'SCMP_ACT_ALLOW', args: [test] };
}
