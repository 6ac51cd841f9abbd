/** The flags of `run` and `create` that say what a container is to be. */
import type { Flag } from '../flags/flag.ts';

const WINDOWS = 'it is for Windows';
const ROOT = 'it takes root';

/** Limits, of `update` as well. */
export const LIMIT_FLAGS = {
  'blkio-weight': {
    kind: 'text',
    type: 'uint16',
    help: 'Block IO (relative weight), between 10 and 1000, or 0 to disable',
  },
  'cpu-period': { kind: 'text', type: 'int', help: 'Limit CPU CFS (Completely Fair Scheduler) period' },
  'cpu-quota': { kind: 'text', type: 'int', help: 'Limit CPU CFS (Completely Fair Scheduler) quota' },
  'cpu-shares': { kind: 'text', type: 'int', short: 'c', help: 'CPU shares (relative weight)' },
  cpus: { kind: 'text', type: 'decimal', help: 'Number of CPUs' },
  'cpuset-cpus': { kind: 'text', help: 'CPUs in which to allow execution (0-3, 0,1)' },
  'cpuset-mems': { kind: 'text', help: 'MEMs in which to allow execution (0-3, 0,1)' },
  memory: { kind: 'text', type: 'bytes', short: 'm', help: 'Memory limit' },
  'memory-reservation': { kind: 'text', type: 'bytes', help: 'Memory soft limit' },
  'memory-swap': {
    kind: 'text',
    type: 'bytes',
    help: "Swap limit equal to memory plus swap: '-1' to enable unlimited swap",
  },
  'pids-limit': { kind: 'text', type: 'int', help: 'Tune container pids limit (set -1 for unlimited)' },
} as const satisfies Record<string, Flag>;

const DEVICE_LIMIT_FLAGS = {
  'blkio-weight-device': { kind: 'list', help: 'Block IO weight (relative device weight)' },
  'device-read-bps': { kind: 'list', help: 'Limit read rate (bytes per second) from a device' },
  'device-read-iops': { kind: 'list', help: 'Limit read rate (IO per second) from a device' },
  'device-write-bps': { kind: 'list', help: 'Limit write rate (bytes per second) to a device' },
  'device-write-iops': { kind: 'list', help: 'Limit write rate (IO per second) to a device' },
} as const satisfies Record<string, Flag>;

/** How `run` and `create` say when a container is well. */
const HEALTH_FLAGS = {
  'health-cmd': { kind: 'text', help: 'Command to run to check health' },
  'health-interval': { kind: 'text', type: 'duration', help: 'Time between running the check (default 30s)' },
  'health-retries': { kind: 'integer', help: 'Consecutive failures needed to report unhealthy (default 3)' },
  'health-start-interval': {
    kind: 'text',
    type: 'duration',
    help: 'Time between running the check during the start period (default 5s)',
  },
  'health-start-period': {
    kind: 'text',
    type: 'duration',
    help: 'Start period for the container to initialize before starting health-retries countdown (default 0s)',
  },
  'health-timeout': { kind: 'text', type: 'duration', help: 'Maximum time to allow one check to run (default 30s)' },
} as const satisfies Record<string, Flag>;

export const RESTART_FLAG = {
  kind: 'text',
  help: 'Restart policy to apply when a container exits: no, on-failure[:max-retries], always, unless-stopped (default no)',
} as const satisfies Flag;

export const CONTAINER_FLAGS = {
  ...LIMIT_FLAGS,
  ...DEVICE_LIMIT_FLAGS,
  ...HEALTH_FLAGS,
  restart: RESTART_FLAG,
  'add-host': { kind: 'list', help: 'Add a custom host-to-IP mapping (host:ip)' },
  attach: { kind: 'list', short: 'a', help: 'Attach to STDIN, STDOUT or STDERR' },
  'cap-add': { kind: 'list', help: 'Add Linux capabilities' },
  'cap-drop': { kind: 'list', help: 'Drop Linux capabilities' },
  cidfile: { kind: 'text', help: 'Write the container ID to the file' },
  annotation: { kind: 'list', help: 'Add an annotation to the container (passed through to the runtime spec)' },
  device: { kind: 'list', help: 'Add a host device to the container, or a device of a CDI specification' },
  gpus: {
    kind: 'text',
    type: 'gpu-request',
    help: "GPU devices to add to the container by CDI ('all' to pass all GPUs)",
  },
  ipc: { kind: 'text', help: 'IPC mode to use: private, shareable, host, none, container:NAME' },
  pid: { kind: 'text', help: 'PID namespace to use: private, host, container:NAME' },
  sysctl: { kind: 'list', type: 'map', help: 'Sysctl options' },
  userns: { kind: 'text', help: 'User namespace to use: private, auto, host, keep-id' },
  uts: { kind: 'text', help: 'UTS namespace to use: private, host' },
  'volumes-from': { kind: 'list', help: 'Mount volumes from the specified container(s)' },
  'disable-content-trust': { kind: 'boolean', preset: true, hidden: true, help: 'Skip image verification' },
  dns: { kind: 'list', help: 'Set custom DNS servers' },
  'dns-opt': { kind: 'list', hidden: true, help: 'Set DNS options' },
  'dns-option': { kind: 'list', help: 'Set DNS options' },
  'dns-search': { kind: 'list', help: 'Set custom DNS search domains' },
  domainname: { kind: 'text', help: 'Container NIS domain name' },
  egress: {
    kind: 'list',
    type: 'rules',
    help: 'Limit where the container may connect to: allow=NAME|SUBNET[:PORT][/PROTOCOL],… or deny=…',
  },
  entrypoint: { kind: 'text', help: 'Overwrite the default ENTRYPOINT of the image' },
  env: { kind: 'list', short: 'e', help: 'Set environment variables' },
  'env-file': { kind: 'list', help: 'Read in a file of environment variables' },
  expose: { kind: 'list', help: 'Expose a port or a range of ports' },
  'group-add': { kind: 'list', help: 'Add additional groups to join' },
  hostname: { kind: 'text', short: 'h', help: 'Container host name' },
  init: { kind: 'boolean', help: 'Run an init inside the container that forwards signals and reaps processes' },
  interactive: { kind: 'boolean', short: 'i', help: 'Keep STDIN open even if not attached' },
  ip: { kind: 'text', help: 'IPv4 address (e.g., 172.30.100.104)' },
  ip6: { kind: 'text', help: 'IPv6 address (e.g., 2001:db8::33)' },
  label: { kind: 'list', short: 'l', help: 'Set meta data on a container' },
  'label-file': { kind: 'list', help: 'Read in a line delimited file of labels' },
  link: { kind: 'list', help: 'Add link to another container' },
  'log-driver': { kind: 'text', help: 'Logging driver for the container: json-file, local, none (default json-file)' },
  'log-opt': { kind: 'list', help: 'Log driver options: max-size, max-file' },
  'mac-address': { kind: 'text', help: 'Container MAC address (e.g., 92:d0:c6:0a:29:33)' },
  mount: { kind: 'list', type: 'mount', help: 'Attach a filesystem mount to the container' },
  name: { kind: 'text', help: 'Assign a name to the container' },
  net: { kind: 'list', hidden: true, help: 'Connect a container to a network' },
  'net-delay': { kind: 'text', type: 'time', help: 'Delay of the network, each way (e.g., 50ms)' },
  'net-loss': { kind: 'text', type: 'percent', help: 'Share of packets that the network loses, each way (e.g., 1%)' },
  'net-rate': { kind: 'text', type: 'rate', help: 'Rate of the network, each way (e.g., 10mbit)' },
  'net-alias': { kind: 'list', hidden: true, help: 'Add network-scoped alias for the container' },
  network: {
    kind: 'list',
    type: 'network',
    help: 'Connect a container to a network: NAME, bridge, none, host, container:NAME (default bridge)',
  },
  'network-alias': { kind: 'list', help: 'Add network-scoped alias for the container' },
  'no-healthcheck': { kind: 'boolean', help: 'Disable any container-specified HEALTHCHECK' },
  'oom-score-adj': { kind: 'integer', help: "Tune host's OOM preferences (-1000 to 1000)" },
  platform: { kind: 'text', help: 'Set platform of the image: os[/architecture[/variant]]' },
  privileged: { kind: 'boolean', help: 'Give extended privileges to this container' },
  publish: { kind: 'list', short: 'p', help: "Publish a container's port(s) to the host" },
  'publish-all': { kind: 'boolean', short: 'P', help: 'Publish all exposed ports to random ports' },
  lazy: { kind: 'boolean', help: 'Start before the image is all there: its files come when they are read' },
  pull: {
    kind: 'text',
    preset: 'missing',
    help: 'Pull image before running ("always", "missing", "never")',
  },
  quiet: { kind: 'boolean', short: 'q', help: 'Suppress the pull output' },
  'read-only': { kind: 'boolean', help: "Mount the container's root filesystem as read only" },
  rm: {
    kind: 'boolean',
    help: 'Automatically remove the container and its associated anonymous volumes when it exits',
  },
  rootfs: { kind: 'text', type: 'folder', help: 'Run from a folder of the host, shown read-only, instead of an image' },
  'security-opt': { kind: 'list', help: 'Security Options' },
  'shm-size': { kind: 'text', type: 'bytes', help: 'Size of /dev/shm' },
  'stop-signal': { kind: 'text', help: 'Signal to stop the container' },
  'stop-timeout': { kind: 'integer', help: 'Timeout (in seconds) to stop a container' },
  'storage-opt': {
    kind: 'list',
    help: 'Options of the writable layer: writable=auto|kernel|fuse, size=BYTES, inodes=NUMBER',
  },
  tmpfs: { kind: 'list', help: 'Mount a tmpfs directory' },
  tty: { kind: 'boolean', short: 't', help: 'Allocate a pseudo-TTY' },
  ulimit: { kind: 'list', type: 'ulimit', help: 'Ulimit options' },
  user: { kind: 'text', short: 'u', help: 'Username or UID (format: <name|uid>[:<group|gid>])' },
  volume: { kind: 'list', short: 'v', help: 'Bind mount a volume' },
  workdir: { kind: 'text', short: 'w', help: 'Working directory inside the container' },

  // What Docker has and trun does not: named when it is used, never ignored.
  'cgroup-parent': { kind: 'text', help: '', unsupported: 'yet' },
  cgroupns: { kind: 'text', help: '', unsupported: 'every container has a cgroup namespace of its own' },
  'cpu-count': { kind: 'text', help: '', unsupported: WINDOWS },
  'cpu-percent': { kind: 'text', help: '', unsupported: WINDOWS },
  'cpu-rt-period': { kind: 'text', help: '', unsupported: ROOT },
  'cpu-rt-runtime': { kind: 'text', help: '', unsupported: ROOT },
  'device-cgroup-rule': { kind: 'list', help: '', unsupported: ROOT },
  'io-maxbandwidth': { kind: 'text', help: '', unsupported: WINDOWS },
  'io-maxiops': { kind: 'text', help: '', unsupported: WINDOWS },
  isolation: { kind: 'text', help: '', unsupported: WINDOWS },
  'kernel-memory': { kind: 'text', help: '', unsupported: 'Linux has it no longer' },
  'link-local-ip': { kind: 'list', help: '', unsupported: 'yet' },
  'memory-swappiness': { kind: 'text', help: '', unsupported: 'cgroup v2 has it no longer' },
  'oom-kill-disable': { kind: 'boolean', help: '', unsupported: 'cgroup v2 has it no longer' },
  runtime: { kind: 'text', help: '', unsupported: 'trun is its own runtime' },
  'use-api-socket': { kind: 'boolean', help: '', unsupported: 'there is no Docker API socket' },
  'volume-driver': { kind: 'text', help: '', unsupported: 'volumes are local' },
} as const satisfies Record<string, Flag>;

/** What `run` has and `create` has not. */
export const RUN_FLAGS = {
  detach: { kind: 'boolean', short: 'd', help: 'Run container in background and print container ID' },
  'detach-keys': { kind: 'text', help: 'Override the key sequence for detaching a container' },
  'dry-run': { kind: 'boolean', help: 'Print what would be done to start the container, and do nothing' },
  'sig-proxy': { kind: 'boolean', preset: true, help: 'Proxy received signals to the process' },
} as const satisfies Record<string, Flag>;
