/**
 * Fds of a plan's processes, fixed so that system calls of the monitor, the joiner and the container's first process can
 * name them. All are close-on-exec; they lie above what the monitor starts with.
 */
export const FD = {
  /** The monitor's socket. */
  listen: 20,
  stdinRead: 21,
  stdinWrite: 22,
  stdoutRead: 23,
  stdoutWrite: 24,
  stderrRead: 25,
  stderrWrite: 26,
  /** The terminal's master, in the monitor. */
  master: 27,
  /** Where the container's process sends the master from, and the monitor receives it. */
  masterSend: 28,
  masterReceive: 29,
  /** O_PATH of the new root, in the container's process. */
  root: 30,
  /** The terminal's slave, in the container's process. */
  slave: 31,
  /** A file of /proc/self/attr, in a bundle's container (bundle-plan.ts). */
  label: 32,
  /** Where a mount goes that takes a path. */
  mountPoint: 34,
  /** Of a container's first process, for who looks whether it lives. */
  pidfd: 35,
  /** Where the status socket goes when its place is taken. */
  status: 33,
} as const;
