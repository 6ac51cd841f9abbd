/**
 * What a test needs from the machine beyond trun's own code, each with its probe. A test file names its needs, and
 * where one is not met its tests are skipped with the reason.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { hasDebianImage } from './images.ts';

function hasCommand(name: string): boolean {
  return (process.env['PATH'] ?? '')
    .split(':')
    .concat('/usr/sbin', '/sbin')
    .some((folder) => existsSync(`${folder}/${name}`));
}

function canOpen(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether /etc/subuid and /etc/subgid give the current user a range (subuid(5)), and newuidmap can apply it. */
function hasSubordinateIds(): boolean {
  const { username, uid } = userInfo();
  return (
    hasCommand('newuidmap') &&
    ['/etc/subuid', '/etc/subgid'].every((file) => {
      const lines = existsSync(file) ? readFileSync(file, 'utf8').split('\n') : [];
      return lines.some((line) => line.startsWith(`${username}:`) || line.startsWith(`${uid}:`));
    })
  );
}

/** Whether the Debian mirror that this machine's apt uses answers. */
async function reachesMirror(): Promise<boolean> {
  const listed = spawnSync('apt-get', ['indextargets', '--format', '$(REPO_URI)dists/$(RELEASE)/InRelease'], {
    encoding: 'utf8',
  });
  const url = listed.status === 0 ? listed.stdout.split('\n')[0] : undefined;
  if (url === undefined || url === '') return false;
  const answer = await fetch(url, { method: 'HEAD', signal: AbortSignal.timeout(8000) }).catch(() => undefined);
  return answer?.ok === true;
}

interface Probe {
  readonly met: () => boolean | Promise<boolean>;
  readonly reason: string;
}

function command(name: string, debianPackage: string): Probe {
  return { met: () => hasCommand(name), reason: `${name} is not installed (Debian: ${debianPackage})` };
}

const probes = {
  'user-namespaces': {
    met: () => spawnSync('unshare', ['--user', 'true']).status === 0,
    reason: 'this user may not create user namespaces',
  },
  'dev-fuse': { met: () => canOpen('/dev/fuse'), reason: '/dev/fuse cannot be opened by this user' },
  'dev-net-tun': { met: () => canOpen('/dev/net/tun'), reason: '/dev/net/tun cannot be opened by this user' },
  'subordinate-ids': {
    met: () => process.getuid!() === 0 || hasSubordinateIds(),
    reason: 'this user has no range in /etc/subuid and /etc/subgid, or newuidmap is not installed',
  },
  'no-subordinate-ids': {
    met: () => process.getuid!() !== 0 && !hasSubordinateIds(),
    reason: 'this user has subordinate ids',
  },
  root: { met: () => process.getuid!() === 0, reason: 'needs root' },
  'ordinary-user': { met: () => process.getuid!() !== 0, reason: 'root has no rootless behaviour to show' },
  'debian-mirror': {
    met: reachesMirror,
    reason: 'the Debian mirror cannot be reached',
  },
  'debian-image': {
    met: async () => hasDebianImage() || (hasCommand('mmdebstrap') && (await reachesMirror())),
    reason: 'no Debian image is at hand, and it takes mmdebstrap and a reachable Debian mirror to make one',
  },
  busybox: command('busybox', 'busybox-static'),
  crun: command('crun', 'crun'),
  'apt-get': command('apt-get', 'apt'),
  curl: command('curl', 'curl'),
  dig: command('dig', 'bind9-dnsutils'),
  git: command('git', 'git'),
  iperf3: command('iperf3', 'iperf3'),
  ssh: {
    met: () => ['ssh', 'ssh-keygen', 'sshd'].every(hasCommand),
    reason: 'ssh or its server is not installed (Debian: openssh-client openssh-server)',
  },
  'docker-registry': command('docker-registry', 'docker-registry'),
  gcc: command('gcc', 'gcc'),
  mmdebstrap: command('mmdebstrap', 'mmdebstrap'),
  podman: command('podman', 'podman'),
  runc: command('runc', 'runc'),
  containerd: command('containerd', 'containerd'),
  slurm: {
    met: () => ['slurmctld', 'slurmd', 'srun', 'munged'].every(hasCommand),
    reason: 'Slurm is not installed (Debian: slurmctld slurmd slurm-client munge)',
  },
  python3: command('python3', 'python3'),
  skopeo: command('skopeo', 'skopeo'),
  buildah: command('buildah', 'buildah'),
  strace: command('strace', 'strace'),
  tmux: command('tmux', 'tmux'),
} as const satisfies Record<string, Probe>;

export type Requirement = keyof typeof probes;

const answers = new Map<Requirement, boolean>();

/** The reason why the first unmet of `needs` is unmet, or undefined. Each is probed once. */
export async function unmet(needs: readonly Requirement[]): Promise<string | undefined> {
  for (const need of needs) {
    const probe: Probe = probes[need];
    if (!answers.has(need)) answers.set(need, await probe.met());
    if (answers.get(need) !== true) return probe.reason;
  }
  return undefined;
}
