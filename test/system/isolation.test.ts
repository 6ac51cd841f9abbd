/**
 * What a container is kept from, and what it is given: namespaces, capabilities, seccomp, limits, devices, mounts.
 *
 * Runs as: user, root
 */
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Result } from '../helpers/command.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ images: ['busybox'] });

function busybox(options: readonly string[], ...command: readonly string[]): Promise<string> {
  return bed.box.ok(['run', '--rm', ...options, bed.image('busybox'), ...command]);
}

function shell(options: readonly string[], script: string): Promise<Result> {
  return bed.box.trun(['run', '--rm', ...options, bed.image('busybox'), 'sh', '-c', script]);
}

/** A field of /proc/self/status in a container. */
async function statusField(name: string, options: readonly string[] = []): Promise<string> {
  const text = await busybox(options, 'cat', '/proc/self/status');
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(text)![1]!;
}

describe('namespaces', () => {
  test('all are its own', async () => {
    const names = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'user', 'uts'];
    const script = names.map((name) => `readlink /proc/self/ns/${name}`).join(';');
    const inside = (await shell([], script)).stdout.trim().split('\n');
    const outside = names.map((name) => readlinkSync(`/proc/self/ns/${name}`));
    expect(inside).toHaveLength(names.length);
    for (const [index, name] of names.entries()) expect(inside[index], name).not.toBe(outside[index]);
  });

  test('two containers share no user namespace', async () => {
    const first = await busybox([], 'readlink', '/proc/self/ns/user');
    const other = bed.box.start([
      'run',
      '--rm',
      bed.image('busybox'),
      'sh',
      '-c',
      'readlink /proc/self/ns/user; sleep 2',
    ]);
    await other.printed('user:');
    const second = await busybox([], 'readlink', '/proc/self/ns/user');
    expect(other.stdout.trim()).not.toBe(second);
    expect(first).toMatch(/^user:/);
    await other.result;
  });

  test('the command is PID 1 and sees its own processes alone', async () => {
    const { stdout } = await shell([], 'echo $$; ls -d /proc/[0-9]*');
    expect(stdout.split('\n')[0]).toBe('1');
    expect(stdout.match(/\/proc\/\d+/g)!.length).toBeLessThan(4);
  });

  test('root inside is root of nothing outside', async () => {
    const map = (await busybox([], 'cat', '/proc/self/uid_map')).trim().split(/\s+/);
    expect(map[0]).toBe('0');
    expect(await busybox([], 'id', '-u')).toBe('0');
  });
});

describe('capabilities', () => {
  // Docker's default set: chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw
  // sys_chroot mknod audit_write setfcap.
  const dockerSet = '00000000a80425fb';

  test("are Docker's", async () => {
    expect(await statusField('CapEff')).toBe(dockerSet);
    expect(await statusField('CapPrm')).toBe(dockerSet);
    expect(await statusField('CapBnd')).toBe(dockerSet);
    expect(await statusField('CapAmb')).toBe('0000000000000000');
  });

  test('--cap-drop and --cap-add', async () => {
    expect(await statusField('CapBnd', ['--cap-drop', 'ALL'])).toBe('0000000000000000');
    expect(await statusField('CapEff', ['--cap-drop', 'ALL', '--cap-add', 'CHOWN'])).toBe('0000000000000001');
    expect(await statusField('CapEff', ['--cap-add', 'NET_ADMIN'])).toBe('00000000a80435fb');
    expect(await statusField('CapEff', ['--cap-add', 'cap_net_admin'])).toBe('00000000a80435fb');
    expect(await statusField('CapEff', ['--cap-drop', 'mknod'])).toBe('00000000a00425fb');
  });

  test('an unknown one is an error', async () => {
    const { status, stderr } = await shell(['--cap-add', 'NO_SUCH'], 'true');
    expect(status).toBe(125);
    expect(stderr).toMatch(/NO_SUCH/);
  });
});

describe('seccomp', () => {
  test('a filter is on', async () => {
    expect(await statusField('Seccomp')).toBe('2');
  });

  test('set-user-ID programs gain privileges, unless no-new-privileges is asked for', async () => {
    expect(await statusField('NoNewPrivs')).toBe('0');
    expect(await statusField('NoNewPrivs', ['--security-opt', 'no-new-privileges'])).toBe('1');
  });

  test('denies what Docker denies', async () => {
    const { stdout } = await shell([], 'mount -t tmpfs none /tmp 2>&1; unshare -U true 2>&1; echo done');
    expect(stdout).toMatch(/mount:.*(permission|not permitted)/i);
    expect(stdout).toMatch(/unshare:.*(not permitted|permission)/i);
  });

  test('seccomp=unconfined', async () => {
    expect(await statusField('Seccomp', ['--security-opt', 'seccomp=unconfined'])).toBe('0');
  });

  test('a profile of the caller', async () => {
    const profile = join(bed.box.folder, 'profile.json');
    writeFileSync(
      profile,
      JSON.stringify({
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_AARCH64'],
        syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
      }),
    );
    const { stdout } = await shell(['--security-opt', `seccomp=${profile}`], 'mkdir /x 2>&1; touch /y && echo touched');
    expect(stdout).toMatch(/mkdir:.*not permitted/i);
    expect(stdout).toContain('touched');
  });

  test('a profile that is none is an error', async () => {
    const profile = join(bed.box.folder, 'broken.json');
    writeFileSync(profile, '{"defaultAction": 1}');
    expect((await shell(['--security-opt', `seccomp=${profile}`], 'true')).status).toBe(125);
    expect((await shell(['--security-opt', 'seccomp=/no/such'], 'true')).status).toBe(125);
  });
});

describe('files of the kernel', () => {
  test('masked paths are empty or unreadable', async () => {
    const script = `
      for file in /proc/kcore /proc/keys /proc/timer_list; do
        [ -e $file ] && [ "$(head -c 1 $file 2>/dev/null | wc -c)" != 0 ] && echo "$file is readable"
      done
      for folder in /proc/acpi /proc/scsi /sys/firmware; do
        [ -d $folder ] && [ -n "$(ls $folder 2>/dev/null)" ] && echo "$folder is readable"
      done
      echo done`;
    expect((await shell([], script)).stdout).toBe('done\n');
  });

  test('read-only paths cannot be written', async () => {
    const script = `
      for file in /proc/sys/kernel/domainname /proc/sysrq-trigger /proc/irq/default_smp_affinity /sys/kernel/profiling; do
        [ -e $file ] && (echo 1 >$file) 2>/dev/null && echo "$file is writable"
      done
      mkdir /sys/fs/x 2>/dev/null && echo "/sys is writable"
      echo done`;
    expect((await shell([], script)).stdout).toBe('done\n');
  });

  test('/dev has what it should', async () => {
    const script = `
      for device in null zero full random urandom tty ptmx; do [ -c /dev/$device ] || echo no $device; done
      for folder in pts shm mqueue; do [ -d /dev/$folder ] || echo no $folder; done
      for link in fd stdin stdout stderr; do [ -L /dev/$link ] || echo no $link; done
      echo x >/dev/null; [ "$(head -c 2 /dev/zero | wc -c)" = 2 ] || echo bad zero
      (echo x >/dev/full) 2>/dev/null && echo bad full
      [ "$(head -c 9 /dev/urandom | wc -c)" = 9 ] || echo bad urandom
      echo shared >/dev/shm/file; cat /dev/shm/file; ls /dev`;
    const lines = (await shell([], script)).stdout.trim().split('\n');
    expect(lines[0]).toBe('shared');
    const known = 'console core fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero'.split(
      ' ',
    );
    expect(lines.slice(1).filter((name) => !known.includes(name))).toEqual([]);
  });

  test('no device can be made', async () => {
    const { stdout } = await shell([], 'mknod /disk b 8 0 && head -c 1 /disk; echo $?');
    expect(stdout.trim().split('\n').at(-1)).not.toBe('0');
  });

  test("no mount shows the host's folders", async () => {
    const mounts = await busybox([], 'cat', '/proc/self/mountinfo');
    const points = mounts.split('\n').map((line) => line.split(' ')[4]!);
    for (const point of points) expect(point).toMatch(/^\/($|proc|sys|dev|etc\/(hosts|hostname|resolv\.conf)$)/);
    expect(points).not.toContain('/old');
  });

  test('/etc/hosts, /etc/hostname and /etc/resolv.conf are there', async () => {
    expect(await busybox([], 'cat', '/etc/hosts')).toMatch(/^127\.0\.0\.1\s+localhost/m);
    expect(await busybox([], 'cat', '/etc/resolv.conf')).toMatch(/^nameserver /m);
    expect(await busybox(['--hostname', 'abc'], 'cat', '/etc/hostname')).toBe('abc');
  });
});

describe('the process that starts', () => {
  test('has its three descriptors and no other', async () => {
    // The fourth is that of ls itself.
    expect(await busybox([], 'ls', '/proc/self/fd')).toBe('0\n1\n2\n3');
  });

  test('ignores and blocks no signal', async () => {
    expect(await statusField('SigIgn')).toBe('0000000000000000');
    expect(await statusField('SigBlk')).toBe('0000000000000000');
  });

  test('has the umask 0022', async () => {
    expect((await shell([], 'umask')).stdout).toBe('0022\n');
  });

  test('--ulimit', async () => {
    const { stdout } = await shell(
      ['--ulimit', 'nofile=100:200', '--ulimit', 'core=0'],
      'ulimit -Sn; ulimit -Hn; ulimit -c',
    );
    expect(stdout).toBe('100\n200\n0\n');
    expect((await shell(['--ulimit', 'nofile=9:1'], 'true')).status).toBe(125);
    expect((await shell(['--ulimit', 'nonsense=1'], 'true')).status).toBe(125);
  });

  test("has the limit of open files that the caller has, not Node's", async () => {
    const limits = await bed.box.ok(['run', '--rm', bed.image('busybox'), 'sh', '-c', 'ulimit -Sn']);
    expect(Number(limits)).toBeGreaterThanOrEqual(1024);
  });
});

describe('--init', () => {
  test('PID 1 is not the command, hands signals on and reaps', async () => {
    expect(await busybox(['--init'], 'sh', '-c', 'echo $$')).not.toBe('1');
    const orphan = `sh -c '(sleep 0.2 &)'; sleep 0.8; grep -l '^State:.Z' /proc/[0-9]*/status; echo none`;
    expect((await shell(['--init'], orphan)).stdout.trim()).toBe('none');
    expect((await shell(['--init'], 'exit 9')).status).toBe(9);
    expect((await shell(['--init'], 'kill -9 $$')).status).toBe(137);
    const running = bed.box.start([
      'run',
      '--rm',
      '--init',
      bed.image('busybox'),
      'sh',
      '-c',
      'echo up; exec sleep 100',
    ]);
    await running.printed('up');
    running.kill('SIGTERM');
    expect((await running.result).status).toBe(143);
  });
});

describe('the root file system', () => {
  test('--read-only', async () => {
    const { stdout } = await shell(
      ['--read-only'],
      'touch /x 2>&1; touch /etc/x 2>&1; echo shm >/dev/shm/x && cat /dev/shm/x',
    );
    expect(stdout.match(/read-only file system/gi)).toHaveLength(2);
    expect(stdout).toContain('shm');
  });

  test('--tmpfs', async () => {
    const { stdout } = await shell(
      ['--read-only', '--tmpfs', '/scratch:size=1m,mode=1777', '--tmpfs', '/tmp'],
      'echo kept >/tmp/x; cat /tmp/x; stat -c %a /scratch; dd if=/dev/zero of=/scratch/x bs=1k count=2000 2>&1; grep " /scratch " /proc/mounts',
    );
    expect(stdout).toMatch(/^kept\n1777\n/);
    expect(stdout).toMatch(/no space left/i);
    expect(stdout).toMatch(/tmpfs \/scratch tmpfs .*nosuid.*nodev.*noexec/);
  });

  test('is writable, and a change is gone with its container', async () => {
    expect((await shell([], 'echo changed >/etc/passwd; cat /etc/passwd')).stdout).toBe('changed\n');
    expect(await busybox([], 'head', '-n', '1', '/etc/passwd')).toBe('root:x:0:0:root:/root:/bin/sh');
  });
});

describe('a root file system laid to trap', () => {
  test.each(['proc', 'sys'])(
    '/%s as a link is refused, in one line, and nothing is mounted where it leads',
    async (name) => {
      const root = join(bed.box.folder, `trap-${name}`);
      const elsewhere = join(root, 'elsewhere');
      mkdirSync(elsewhere, { recursive: true });
      mkdirSync(join(root, 'bin'));
      copyFileSync('/bin/busybox', join(root, 'bin/sh'));
      chmodSync(join(root, 'bin/sh'), 0o755);
      symlinkSync('elsewhere', join(root, name));
      const { status, stderr } = await bed.box.trun(['run', '--rm', '--rootfs', root, 'sh', '-c', 'true']);
      expect(status).toBe(125);
      expect(stderr).toMatch(new RegExp(`^trun: Cannot open /${name} in the container \\(is it a link\\?\\).*\n$`));
      expect(readdirSync(elsewhere)).toEqual([]);
    },
  );
});
