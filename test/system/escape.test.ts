/**
 * Documented ways out of containers, each tried from inside as root of the container, and refused. Every attempt prints
 * what it got; one that could not even be made fails the test (`tried`).
 *
 * Runs as: user, root, nosub
 */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox();
const isRoot = process.getuid!() === 0;
let count = 0;

/** Output of a shell script in a container, both streams together, whatever it exits with; ends with `tried`. */
async function attempt(script: string, ...options: readonly string[]): Promise<string> {
  const words = ['run', '--rm', ...options, 'host', 'sh', '-c', `${script}\necho tried`];
  const { stdout, stderr } = await bed.box.trun(words);
  expect(stdout + stderr).toContain('tried');
  return stdout + stderr;
}

async function detached(script: string, ...options: readonly string[]): Promise<string> {
  const name = `esc-${count++}`;
  onTestFinished(async () => {
    await bed.box.trun(['rm', '-f', name]);
  });
  await bed.box.ok(['run', '-d', '--name', name, ...options, 'host', 'sh', '-c', script]);
  return name;
}

describe('kernel interfaces', () => {
  test.each([
    ['core_pattern', '/proc/sys/kernel/core_pattern', '|/tmp/evil'],
    ['modprobe path', '/proc/sys/kernel/modprobe', '/tmp/evil'],
    ['hotplug helper', '/sys/kernel/uevent_helper', '/tmp/evil'],
    ['sysrq', '/proc/sysrq-trigger', 'h'],
    ['binfmt_misc', '/proc/sys/fs/binfmt_misc/register', ':evil:M::x::/tmp/evil:'],
  ])('%s cannot be set, not even unmasked and with every capability', async (_name, path, value) => {
    const before = readOptional(path);
    for (const options of [[], ['--privileged'], ['--security-opt', 'unmask=ALL', '--cap-add', 'ALL']]) {
      // With a network of its own even the host's root is not root here, but where the tests run as root ids are the same.
      if (isRoot && options.length > 0) continue;
      expect(await attempt(`printf %s '${value}' >${path} && echo ESCAPED`, ...options)).not.toContain('ESCAPED');
    }
    expect(readOptional(path)).toBe(before);
  });

  test('cgroup release_agent (CVE-2022-0492): where a cgroup of version 1 can be mounted, it is not to be written', async () => {
    const script = `mkdir -p /tmp/cg
      for controller in rdma memory pids; do
        unshare -C mount -t cgroup -o $controller cgroup /tmp/cg || mount -t cgroup -o $controller cgroup /tmp/cg
        find /tmp/cg /sys/fs/cgroup -name release_agent | while read -r agent; do echo /evil >$agent && echo ESCAPED; done
        umount /tmp/cg
      done
      mkdir /sys/fs/cgroup/evil 2>/dev/null && echo ESCAPED`;
    for (const options of [[], ['--cap-add', 'SYS_ADMIN']])
      expect(await attempt(script, ...options)).not.toContain('ESCAPED');
  });

  test('masks and read-only mounts cannot be taken away', async () => {
    const script = `umount /proc/kcore; umount /proc/timer_list; umount /proc/sys; umount /sys/firmware
      mount -o remount,rw /proc/sys && echo ESCAPED
      mount -o remount,bind,rw /proc/sysrq-trigger && echo ESCAPED
      mount -t proc proc /mnt && cat /mnt/kcore | head -c 1 | grep -q . && echo ESCAPED
      [ "$(head -c 1 /proc/kcore | wc -c)" = 0 ] || echo ESCAPED`;
    expect(await attempt(script)).not.toContain('ESCAPED');
  });

  test('devices: no disk, memory or port can be reached by a node of one’s own', async () => {
    const script = `for node in "b 8 0" "b 254 0" "b 259 0" "c 1 1" "c 1 4" "c 10 144"; do
        mknod /tmp/n $node 2>/dev/null; head -c 1 /tmp/n 2>/dev/null | grep -q . && echo ESCAPED; rm -f /tmp/n
      done`;
    expect(await attempt(script, '--cap-add', 'MKNOD')).not.toContain('ESCAPED');
    if (!isRoot) expect(await attempt(script, '--privileged')).not.toContain('ESCAPED');
  });

  test('keyrings: the user’s keys are neither listed nor read', async () => {
    // add_key, request_key and keyctl of x86-64 and arm64; EPERM is the filter's.
    const numbers = process.arch === 'x64' ? [248, 249, 250] : [217, 218, 219];
    const script = `cat /proc/keys | grep . && echo ESCAPED
      perl -e 'for my $n (${numbers.join(',')}) { my $r = syscall($n, 0, 0, 0, 0, 0); print $r >= 0 ? "ESCAPED\\n" : "$!\\n" }'`;
    const output = await attempt(script);
    expect(output).not.toContain('ESCAPED');
    expect(output).toContain('not permitted');
  });

  test('open_by_handle_at (shocker), bpf, userfaultfd, kexec: refused', async () => {
    const numbers = process.arch === 'x64' ? [304, 321, 323, 246, 175] : [265, 280, 282, 104, 105];
    const script = `perl -e 'for my $n (${numbers.join(',')}) { my $r = syscall($n, 0, 0, 0, 0, 0); print $r >= 0 ? "ESCAPED" : 0 + $!, "\\n" }'`;
    const lines = (await attempt(script)).split('\n').slice(0, numbers.length);
    expect(lines.every((line) => line === '1' || line === '38')).toBe(true);
  });
});

describe('what joins a container', () => {
  test('CVE-2024-21626: no working directory leads to an fd of the host’s', async () => {
    const name = await detached('sleep 1000');
    const marker = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8) + String(process.pid);
    writeFileSync(join(bed.box.folder, 'marker'), marker);
    const script = `cat ../../../../../../../..${bed.box.folder}/marker 2>/dev/null; true`;
    for (const fd of [3, 4, 5, 6, 7, 8, 9, 10, 20, 21, 24, 26, 28, 30]) {
      const cwd = `/proc/self/fd/${fd}`;
      const results = await Promise.all([
        bed.box.trun(['run', '--rm', '-w', cwd, 'host', 'sh', '-c', script]),
        bed.box.trun(['exec', '-w', cwd, name, 'sh', '-c', script]),
      ]);
      for (const { stdout } of results) expect(stdout).not.toContain(marker);
    }
  }, 60_000);

  test('CVE-2019-5736: the program that joins cannot be written through /proc/PID/exe', async () => {
    // Whoever looks at new processes tries to open what they run for writing.
    const watcher = `perl -e 'while (!-e "/stop") { for my $p (glob "/proc/[0-9]*") {
        my $exe = readlink "$p/exe"; next unless defined $exe and $exe =~ /monitor|memfd/;
        if (open my $f, "+<", "$p/exe") { print "ESCAPED $exe\\n"; exit } } }'; echo tried`;
    const name = await detached(watcher);
    for (let i = 0; i < 10; i++) await bed.box.ok(['exec', name, 'true']);
    await bed.box.ok(['exec', name, 'touch', '/stop']);
    await bed.box.ok(['wait', name]);
    const logs = await bed.box.ok(['logs', name]);
    expect(logs).toContain('tried');
    expect(logs).not.toContain('ESCAPED');
  }, 60_000);

  test('CVE-2016-9962: the process that joins cannot be traced, nor its fds taken', async () => {
    // What has become the container's own program meanwhile is the container's to trace: the name is looked at again.
    const watcher = `perl -e 'my $self = $$; while (!-e "/stop") { for my $p (glob "/proc/[0-9]*") {
        my ($pid) = $p =~ /(\\d+)$/; next if $pid == $self or $pid == 1;
        next unless comm($p) =~ /trun/;
        for my $got (map { readlink($_) // () } glob "$p/fd/*") { print "ESCAPED fd $got\\n" if comm($p) =~ /trun/ }
        if (open my $m, "+<", "$p/mem") { print "ESCAPED mem\\n" if comm($p) =~ /trun/ } } }
      sub comm { open my $c, "<", "$_[0]/comm" or return ""; return <$c> // "" }'; echo tried`;
    const name = await detached(watcher);
    for (let i = 0; i < 10; i++) await bed.box.ok(['exec', name, 'true']);
    await bed.box.ok(['exec', name, 'touch', '/stop']);
    await bed.box.ok(['wait', name]);
    const logs = await bed.box.ok(['logs', name]);
    expect(logs).toContain('tried');
    expect(logs).not.toContain('ESCAPED');
  }, 60_000);
});

describe('mounts', () => {
  test('CVE-2021-30465: a volume’s links lead no mount out of the container', async () => {
    const volume = join(bed.box.folder, 'evil-volume');
    const target = join(bed.box.folder, 'target');
    for (const folder of [volume, target]) mkdirSync(folder, { recursive: true });
    const outside = join(bed.box.folder, 'outside');
    mkdirSync(outside, { recursive: true });
    // The first volume holds a link to the host's folder by its path, and one that climbs; the second is mounted on them.
    symlinkSync(outside, join(volume, 'absolute'));
    symlinkSync(`../../../../../../../../..${outside}`, join(volume, 'climbing'));
    writeFileSync(join(target, 'f'), 'mounted\n');
    for (const link of ['absolute', 'climbing']) {
      const options = ['-v', `${volume}:/v`, '-v', `${target}:/v/${link}/deep`];
      await attempt('touch /v/x', ...options);
      expect(() => readFileSync(join(outside, 'deep/f'))).toThrow('ENOENT');
    }
  });

  test('CVE-2021-30465, the race: a container that swaps a link all the while gains nothing', async () => {
    const volume = join(bed.box.folder, 'racing');
    mkdirSync(join(volume, 'a'), { recursive: true });
    symlinkSync('/', join(volume, 'b'));
    const outside = join(bed.box.folder, 'race-target');
    mkdirSync(outside);
    // renameat2(2) with RENAME_EXCHANGE, in a loop.
    const number = process.arch === 'x64' ? 316 : 276;
    const swap = `perl -e 'my ($a, $b) = ("/v/a", "/v/b"); syscall(${number}, -100, $a, -100, $b, 2) while 1'`;
    await detached(swap, '-v', `${volume}:/v`);
    for (let i = 0; i < 8; i++) {
      const { stdout } = await bed.box.trun([
        ...['run', '--rm', '-v', `${volume}:/v`, '-v', `${outside}:/v/a/proc`, 'host', 'sh', '-c'],
        `cat /proc/1/comm; touch ${outside}/ESCAPED 2>/dev/null; true`,
      ]);
      // Either the mount went where it was told to, or there was none: never over the container's own /proc.
      expect(['sh\n', '']).toContain(stdout);
    }
    expect(() => readFileSync(join(outside, 'ESCAPED'))).toThrow('ENOENT');
  }, 60_000);

  test('the host’s root is not to be had: no old root, no mount of the host’s disks, no way up', async () => {
    const marker = join(bed.box.folder, 'host-only');
    writeFileSync(marker, 'host\n');
    const script = `mkdir -p /tmp/a; cd /tmp/a
      chroot . true 2>/dev/null; cat ../../../../../../${marker} 2>/dev/null && echo ESCAPED
      perl -e 'mkdir "/tmp/b"; chroot "/tmp/b"; chdir "../../../../../.."; chroot "."; print -e "${marker}" ? "ESCAPED" : "held", "\\n"'
      cat /proc/1/root${marker} 2>/dev/null && echo ESCAPED
      awk '{ print $5 }' /proc/self/mountinfo | grep -q "^${bed.box.folder}" && echo ESCAPED`;
    // "host" shows the host's files read-only below its own layer, so the marker is looked for where it is not: an image's
    // root would not have it. A folder stands in for one.
    const rootfs = join(bed.box.folder, 'bare');
    for (const name of ['bin', 'lib', 'lib64', 'usr', 'tmp', 'proc', 'dev', 'sys', 'etc'])
      mkdirSync(join(rootfs, name), { recursive: true });
    const binds = ['/bin', '/lib', '/lib64', '/usr'].flatMap((path) => ['-v', `${path}:${path}:ro`]);
    const { stdout } = await bed.box.trun([
      'run',
      '--rm',
      ...binds,
      '--rootfs',
      rootfs,
      'sh',
      '-c',
      `${script}\necho tried`,
    ]);
    expect(stdout).toContain('tried');
    expect(stdout).not.toContain('ESCAPED');
  });
});

describe('other processes', () => {
  test('trun’s own cannot be traced, read or robbed, though they are seen with --pid host', async ({ skip }) => {
    skip(isRoot, 'as root, containers have the ids of the host');
    const name = await detached('sleep 1000', '--pid=host');
    const pids = bed.box
      .processes()
      .filter(({ command }) => /trun|\.cjs/.test(command))
      .map(({ pid }) => pid);
    expect(pids.length).toBeGreaterThan(2);
    // Holder and keepers are in the user's namespace, the others in the host's.
    const script = `for pid in ${pids.join(' ')}; do
        for fd in /proc/$pid/fd/*; do readlink $fd >/dev/null 2>&1 && echo ESCAPED fd $fd; done
        cat /proc/$pid/environ >/dev/null 2>&1 && echo ESCAPED environ $pid
        head -c 1 /proc/$pid/mem >/dev/null 2>&1 && echo ESCAPED mem $pid
        ls /proc/$pid/root/ >/dev/null 2>&1 && echo ESCAPED root $pid
        nsenter -t $pid -m true 2>/dev/null && echo ESCAPED mount namespace $pid
        nsenter -t $pid -U true 2>/dev/null && echo ESCAPED user namespace $pid
        perl -e 'my $r = syscall(${process.arch === 'x64' ? 101 : 117}, 16, '$pid', 0, 0); print "ESCAPED trace\\n" if $r == 0' 
        perl -e 'my $fd = syscall(434, '$pid', 0); my $r = syscall(438, $fd, 0, 0); print "ESCAPED getfd\\n" if $r >= 0'
      done; echo tried`;
    const { stdout } = await bed.box.trun(['exec', name, 'sh', '-c', script]);
    expect(stdout).toContain('tried');
    expect(stdout).not.toContain('ESCAPED');
  });

  test('another container’s processes are neither seen nor signalled', async () => {
    const name = await detached('sleep 1000');
    const pid = await bed.box.inspect(name, '{{.State.Pid}}');
    const output = await attempt(`kill -9 ${pid} && echo ESCAPED; ls /proc/${pid} 2>/dev/null && echo ESCAPED`);
    expect(output).not.toContain('ESCAPED');
    if (!isRoot) {
      // Even where it is seen, and where both are "root".
      const seen = await attempt(
        `cat /proc/${pid}/environ && echo ESCAPED; ls /proc/${pid}/root/ && echo ESCAPED`,
        '--pid=host',
      );
      expect(seen).not.toContain('ESCAPED');
    }
  });

  test('abstract sockets of the host cannot be reached', async () => {
    const name = `trun-escape-${process.pid}`;
    const server = createServer((socket) => socket.end('ESCAPED'));
    await new Promise<void>((resolve) => server.listen(`\0${name}`, resolve));
    try {
      const script = `perl -MSocket -e 'socket(my $s, AF_UNIX, SOCK_STREAM, 0); connect($s, pack("Sa*", AF_UNIX, "\\0${name}")) or print "no: $!\\n"; print <$s>'`;
      const output = await attempt(script, '--network=none');
      expect(output).not.toContain('ESCAPED');
      expect(output).toMatch(/no: (Connection refused|No such)/);
    } finally {
      server.close();
    }
  });

  test('a terminal’s input cannot be forged for the user’s shell (TIOCSTI)', async () => {
    // Without -t there is no terminal at all; with it, one of the container's own.
    const script = `perl -e 'open(my $t, "+<", "/dev/tty") or do { print "none: $!\\n"; exit }; my $c = "x"; print ioctl($t, 0x5412, $c) ? "ESCAPED\\n" : "$!\\n"'`;
    expect(await attempt(script)).toMatch(/none: /);
  });
});

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
