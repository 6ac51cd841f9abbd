import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';

interface Need {
  readonly debianPackage: string;
  /** Any of these files shows that it is there; a name without a slash is looked for in the folders of PATH. */
  readonly files: readonly string[];
  readonly purpose: string;
}

/** What the tests need from the machine beyond Node, by Debian's package names. */
const needs: readonly Need[] = [
  { debianPackage: 'uidmap', files: ['newuidmap'], purpose: 'maps subordinate ids' },
  { debianPackage: 'fuse3', files: ['fusermount3'], purpose: 'FUSE in containers' },
  { debianPackage: 'docker-registry', files: ['docker-registry'], purpose: 'serves the fixture images' },
  { debianPackage: 'skopeo', files: ['skopeo'], purpose: 'fills the registry' },
  { debianPackage: 'buildah', files: ['buildah'], purpose: 'builds what our builds are compared with' },
  { debianPackage: 'busybox-static', files: ['/bin/busybox', '/usr/bin/busybox'], purpose: 'the busybox image' },
  { debianPackage: 'mmdebstrap', files: ['mmdebstrap'], purpose: 'the Debian image' },
  { debianPackage: 'tmux', files: ['tmux'], purpose: 'terminals' },
  { debianPackage: 'strace', files: ['strace'], purpose: 'watches for writes outside the state folder' },
  { debianPackage: 'curl', files: ['curl'], purpose: 'asks published ports' },
  { debianPackage: 'git', files: ['git'], purpose: 'works on the file system as users do' },
  { debianPackage: 'iperf3', files: ['iperf3'], purpose: 'fills the network' },
  { debianPackage: 'bind9-dnsutils', files: ['dig'], purpose: 'asks for names over TCP' },
  { debianPackage: 'openssh-client', files: ['ssh'], purpose: 'logs in over the network' },
  { debianPackage: 'openssh-server', files: ['sshd'], purpose: 'is logged in to' },
  { debianPackage: 'python3', files: ['python3'], purpose: 'tries what file systems promise' },
  { debianPackage: 'gcc', files: ['gcc'], purpose: 'rebuilds the monitor, compares structs with the kernel headers' },
  { debianPackage: 'libc6-dev', files: ['/usr/include/stdio.h'], purpose: 'the kernel headers' },
  { debianPackage: 'gcc-aarch64-linux-gnu', files: ['aarch64-linux-gnu-gcc'], purpose: 'rebuilds the arm64 monitor' },
  { debianPackage: 'qemu-user-static', files: ['qemu-aarch64-static'], purpose: 'runs the arm64 monitor' },
  { debianPackage: 'qemu-system-x86', files: ['qemu-system-x86_64'], purpose: 'boots the cgroup v2 guest' },
  { debianPackage: 'podman', files: ['podman'], purpose: 'drives trun-oci' },
  { debianPackage: 'containerd', files: ['containerd'], purpose: 'drives trun-oci' },
  { debianPackage: 'slurmctld', files: ['slurmctld'], purpose: 'drives trun-oci' },
  { debianPackage: 'slurmd', files: ['slurmd'], purpose: 'drives trun-oci' },
  { debianPackage: 'slurm-client', files: ['srun'], purpose: 'drives trun-oci' },
  { debianPackage: 'munge', files: ['munged'], purpose: 'lets Slurm trust itself' },
  { debianPackage: 'e2fsprogs', files: ['mkfs.ext4'], purpose: "the guest's disk" },
  { debianPackage: 'kmod', files: ['depmod'], purpose: "the guest's modules" },
  { debianPackage: 'cpio', files: ['cpio'], purpose: "the guest's initrd" },
];

function isPresent({ files }: Need): boolean {
  const folders = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`.split(':');
  return files.some((file) =>
    file.includes('/') ? existsSync(file) : folders.some((folder) => existsSync(`${folder}/${file}`)),
  );
}

function missing(): Need[] {
  return needs.filter((need) => !isPresent(need));
}

/** One line per missing package. */
export function describeMissing(): string[] {
  return missing().map(({ debianPackage, purpose }) => `missing: ${debianPackage} (${purpose})`);
}

/**
 * Installs the missing packages, as root, on a machine with apt. Services that they bring stay off: what the tests
 * need of docker-registry is the program.
 */
export function installMissing(): void {
  const packages = missing().map(({ debianPackage }) => debianPackage);
  if (packages.length === 0 || !existsSync('/usr/bin/apt-get')) return;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  // invoke-rc.d asks this program, and 101 means no (Debian's policy-rc.d specification).
  const policy = '/usr/sbin/policy-rc.d';
  const isOurs = !existsSync(policy);
  if (isOurs) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    spawnSync('apt-get', ['-qq', 'update'], { env, stdio: ['ignore', 'ignore', 'inherit'] });
    const install = ['-qq', '-y', '-o', 'Dpkg::Use-Pty=0', '--no-install-recommends', 'install', ...packages];
    const { status } = spawnSync('apt-get', install, { env, stdio: ['ignore', 'ignore', 'inherit'] });
    if (status !== 0) console.log(`apt-get could not install ${packages.join(' ')}`);
  } finally {
    if (isOurs) rmSync(policy);
  }
}
