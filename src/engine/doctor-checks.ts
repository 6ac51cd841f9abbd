/** The checks of `doctor` that a look at the host's files and settings answers. */
import type { IdMap } from '../holder/id-map.ts';
import type { Finding } from './doctor.ts';
import type { Host } from './doctor-host.ts';

/** Oldest kernel with what trun cannot do without: pidfd_getfd(2) and openat2(2). */
const OLDEST_KERNEL = [5, 6] as const;

export function checkKernel({ release }: Host): Finding {
  const [major = 0, minor = 0] = release.split('.').map(Number.parseFloat);
  const isOld = major < OLDEST_KERNEL[0] || (major === OLDEST_KERNEL[0] && minor < OLDEST_KERNEL[1]);
  return isOld
    ? finding(
        'kernel',
        'missing',
        `Linux ${release} is older than ${OLDEST_KERNEL.join('.')}`,
        'install a newer kernel',
      )
    : finding('kernel', 'ok', `Linux ${release}`);
}

const APPARMOR = '/proc/sys/kernel/apparmor_restrict_unprivileged_userns';

/**
 * Why user namespaces do not work, from the settings that may forbid them.
 * @param reason what the kernel said
 * @param program what AppArmor would have to permit it to
 */
export function explainNoNamespaces(host: Host, reason: string, program = process.execPath): Finding {
  const settings = [
    ['/proc/sys/user/max_user_namespaces', '0', 'user.max_user_namespaces=15000'],
    ['/proc/sys/kernel/unprivileged_userns_clone', '0', 'kernel.unprivileged_userns_clone=1'],
    [APPARMOR, '1', 'kernel.apparmor_restrict_unprivileged_userns=0'],
  ] as const;
  const culprit = settings.find(([path, forbidding]) => host.read(path) === forbidding);
  if (culprit === undefined) {
    const mend = 'inside another container, let that one create user namespaces (a seccomp profile that permits it)';
    return finding('user namespaces', 'missing', reason, mend);
  }
  const [path, value, setting] = culprit;
  const name = path.slice('/proc/sys/'.length).replace('/', '.');
  return finding('user namespaces', 'missing', `forbidden by ${name}=${value}`, mendOf(path, setting, program));
}

function mendOf(path: string, setting: string, program: string): string {
  return path === APPARMOR && /^[\w./@+-]+$/.test(program) ? loadProfile(program) : setSysctl(setting);
}

/**
 * A profile for the program alone, rather than the restriction lifted for all (apparmor.d(5), `userns`). What an unconfined profile's
 * program executes stays in the profile, so the monitor, which runs from memory and has no path, is in it, too.
 */
function loadProfile(program: string): string {
  const file = '/etc/apparmor.d/trun';
  const profile = `abi <abi/4.0>,\\ninclude <tunables/global>\\nprofile trun ${program} flags=(unconfined) { userns, }\\n`;
  return `printf '${profile}' | sudo tee ${file} && sudo apparmor_parser -r ${file}`;
}

export function checkIdMap({ kind, reason, uid }: IdMap, host: Host): Finding {
  if (kind === 'identity') return finding('user ids', 'ok', 'you are root: every id is itself');
  if (kind === 'range') {
    const count = uid.reduce((sum, extent) => sum + extent.count, 0);
    return finding('user ids', 'ok', `${count} ids by newuidmap and newgidmap`);
  }
  const mend = reason?.includes('install')
    ? 'sudo apt-get install uidmap (or the package of your system with newuidmap)'
    : `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${host.userName}`;
  return finding('user ids', 'limited', `one id alone: ${reason ?? ''}; images with several users will not work`, mend);
}

export function checkDevice(host: Host, path: string, status: 'limited' | 'missing', use: string): Finding {
  switch (host.access(path)) {
    case 'granted':
      return finding(path, 'ok', 'may be opened');
    case 'denied':
      return finding(path, status, `permission denied: ${use}`, `sudo chmod 0666 ${path}`);
    case 'absent': {
      const module = path === '/dev/fuse' ? 'fuse' : 'tun';
      return finding(
        path,
        status,
        `is not there: ${use}`,
        `sudo modprobe ${module} (in a container: --device ${path})`,
      );
    }
  }
}

/** @param run the folder that trun uses */
export function checkRuntimeFolder(host: Host, run: string): Finding {
  const folder = host.env['XDG_RUNTIME_DIR'];
  if (folder !== undefined && run.startsWith(folder)) return finding('XDG_RUNTIME_DIR', 'ok', folder);
  const problem = folder === undefined || folder === '' ? 'is not set' : `${folder} cannot be used`;
  return finding('XDG_RUNTIME_DIR', 'ok', `${problem}: ${run} serves as well`);
}

/** f_type of statfs(2), from linux/magic.h and the file systems' own sources. */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0xef53: 'ext4',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x01021994: 'tmpfs',
  0x794c7630: 'overlayfs',
  0x2fc12fc1: 'zfs',
  0xf2f52010: 'f2fs',
  0x6969: 'nfs',
  0xff534d42: 'cifs',
  0xfe534d42: 'smb',
  0x65735546: 'fuse',
  0x00c36400: 'ceph',
  0x0bd00bd0: 'lustre',
  0x47504653: 'gpfs',
};
const NETWORKED = ['nfs', 'cifs', 'smb', 'ceph', 'lustre', 'gpfs'];

export function checkFileSystem(host: Host, root: string): Finding {
  const type = host.fileSystem(root) >>> 0;
  const name = FILE_SYSTEMS[type] ?? `file system type 0x${type.toString(16)}`;
  return NETWORKED.includes(name)
    ? finding(
        'state folder',
        'limited',
        `${root} lies on ${name}: slower, and without the kernel's overlay`,
        'TRUN_ROOT=/some/local/folder',
      )
    : finding('state folder', 'ok', `${root} on ${name}`);
}

/** ICMP echo sockets: icmp(7). */
export function checkPing(host: Host): Finding {
  const [first = 1, last = 0] = (host.read('/proc/sys/net/ipv4/ping_group_range') ?? '1 0').split(/\s+/).map(Number);
  return host.gid >= first && host.gid <= last
    ? finding('ping', 'ok', 'containers can ping the outside')
    : finding(
        'ping',
        'limited',
        'your group is not in net.ipv4.ping_group_range: containers cannot ping the outside',
        setSysctl('net.ipv4.ping_group_range="0 2147483647"'),
      );
}

export function checkLowPorts(host: Host): Finding {
  const first = Number(host.read('/proc/sys/net/ipv4/ip_unprivileged_port_start') ?? 1024);
  return first === 0
    ? finding('published ports', 'ok', 'any port')
    : finding(
        'published ports',
        'ok',
        `from ${first} up; for lower ones: ${setSysctl('net.ipv4.ip_unprivileged_port_start=0')}`,
      );
}

/** Yama: Documentation/admin-guide/LSM/Yama.rst. 3 forbids what takes fds over from a killed process. */
export function checkYama(host: Host): Finding {
  return host.read('/proc/sys/kernel/yama/ptrace_scope') === '3'
    ? finding(
        'process access',
        'missing',
        'forbidden by kernel.yama.ptrace_scope=3',
        'reboot with kernel.yama.ptrace_scope=1',
      )
    : finding('process access', 'ok', 'fds can be taken over');
}

/** @param abi the version of the kernel's Landlock, 0 for none */
export function checkLandlock(abi: number): Finding {
  return abi > 0
    ? finding('Landlock', 'ok', `version ${abi}: network processes give up the files that they do not need`)
    : finding('Landlock', 'ok', 'not in this kernel: network processes run without that additional wall');
}

export function finding(name: string, status: Finding['status'], detail: string, mend?: string): Finding {
  return { name, status, detail, ...(mend === undefined ? {} : { mend }) };
}

function setSysctl(setting: string): string {
  return `sudo sysctl -w ${setting}`;
}
