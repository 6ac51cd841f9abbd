/** The union as programs see it, over a directory, several directories and an image tree. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packDirectory } from '../support/pack-directory.ts';
import { Sandbox } from '../support/sandbox.ts';

const fillLower = `
  cd "$D/lower"
  mkdir -p etc usr/share/doc usr/lib/deep/er opaque whited
  for n in $(seq 50); do echo "doc $n" > usr/share/doc/file$n; done
  echo low > etc/both; echo low > etc/low; ln etc/low etc/low-link; ln -s low etc/sym
  seq 20000 > usr/lib/deep/er/numbers
  cp /bin/echo usr/lib/echo; chmod 4755 usr/lib/echo
  echo x > opaque/hidden; echo x > whited/gone; mkfifo etc/fifo
  truncate -s 10M usr/lib/sparse; printf end >> usr/lib/sparse`;

/** Everything that programs can see of a tree, the sizes and times of directories aside. */
const listing = String.raw`find . -not -type d -printf '%p %y %m %n %s %T@ %l\n' | sort; find . -type d -printf '%p %m\n' | sort; find . -type f -print0 | sort -z | xargs -0r sha256sum`;

const kinds = ['directory', 'directories', 'tree'] as const;

async function mount(sandbox: Sandbox, kind: (typeof kinds)[number], ...more: string[]): Promise<void> {
  if (kind === 'tree') {
    const { index, files } = join2(sandbox);
    await sandbox.startUnion('--tree', index, '--files', files, ...more);
  } else {
    const lower = kind === 'directory' ? sandbox.path('lower') : `${sandbox.path('top')}:${sandbox.path('lower')}`;
    await sandbox.startUnion('--lower', lower, ...more);
  }
}

function join2(sandbox: Sandbox): { index: string; files: string } {
  const packed = join(sandbox.directory, 'packed');
  return { index: join(packed, 'index'), files: join(packed, 'files') };
}

describe.each(kinds)('over a lower layer of kind %s', (kind) => {
  const sandbox = new Sandbox();

  beforeAll(async () => {
    sandbox.prepare(fillLower);
    if (kind === 'tree')
      packDirectory(sandbox.path('lower'), join(sandbox.directory, 'packed'), { owner: { uid: 0, gid: 0 } });
    await mount(sandbox, kind);
  });

  afterAll(async () => {
    await sandbox.end();
  });

  test('shows the lower layer', () => {
    expect(sandbox.run(`cd "$M" && ${listing}`)).toBe(sandbox.run(`cd "$D/lower" && ${listing}`));
  });

  test.each([
    [
      'tar, mv, rm',
      'cp -a usr usr2; tar cf t.tar usr2; rm -rf usr2; tar xf t.tar; mv usr2/share/doc moved; rm -r usr2/lib; rm t.tar',
    ],
    [
      'directories of the lower layer that move',
      'mv usr usr.old; mkdir usr; mv usr.old/share usr/share; echo new > usr/share/doc/file7; mv usr/share/doc usr/doc; rmdir usr/share; rm usr.old/lib/sparse; mv usr.old etc/',
    ],
    ['links', 'echo more >> etc/low; ln etc/low-link etc/third; rm etc/low; ln etc/sym etc/sym2; mv etc/third third'],
    ['whiteouts', 'rm -rf opaque whited; mkdir opaque; echo new > opaque/new; ln -s opaque whited'],
    [
      'git',
      'git init -q r && cd r && git config user.name a && git config user.email b && cp ../etc/both . && git add . && git commit -qm one && git gc -q && cd .. && git clone -q r r2 && rm -rf r/.git r2/.git',
    ],
    [
      'a build',
      'mkdir -p b && cd b && printf "int main(void){return 42;}" > m.c && gcc -o m m.c && (./m || test $? = 42) && ar rc m.a m.c && rm m.a m',
    ],
    [
      'sparse files, truncate, append',
      'truncate -s 5000 usr/lib/deep/er/numbers 2>/dev/null || true; truncate -s 1G big; printf x | dd of=big bs=1 seek=500M conv=notrunc 2>/dev/null; rm big; echo tail >> etc/both; : > etc/both',
    ],
    [
      'many names',
      'mkdir many; cd many; seq 3000 | xargs touch; ls | wc -l > ../count; seq 1 2 3000 | xargs rm; ls | wc -l >> ../count',
    ],
  ])('%s: the same as in a bare directory', (_name, script) => {
    // Times of files that the scripts make differ by the moment; all others have to be kept.
    const untimed = `find . -newermt '-1 hour' -exec touch -h -d @1000000000 {} +; ${listing}`;
    sandbox.run(`rm -rf "$D/bare"; mkdir "$D/bare"; cp -a "$M/." "$D/bare/"`);
    const expected = sandbox.run(`cd "$D/bare"; (${script}) >&2; ${untimed}`);
    expect(sandbox.run(`cd "$M"; (${script}) >&2; ${untimed}`)).toBe(expected);
  });

  test('the same after a remount, inode numbers too', async () => {
    const look = `cd "$M"; ${listing}; find . -printf '%p %i\n' | sort`;
    const before = sandbox.run(look);
    await sandbox.unmount();
    await mount(sandbox, kind);
    expect(sandbox.run(look)).toBe(before);
  });

  test('the lower layer is as it was', () => {
    expect(sandbox.run('cat "$D/lower/etc/low" "$D/lower/usr/share/doc/file7"')).toBe('low\ndoc 7\n');
  });

  test('only plain files and folders of the user lie in the upper layer', () => {
    expect(sandbox.prepare('find "$D/upper" ! -type f ! -type d -o ! -user "$(id -u)"')).toBe('');
  });

  test('no server had anything to complain of', () => {
    expect(sandbox.errors).toBe('');
  });
});

describe.each([
  { kind: 'write-through', writeback: [] },
  { kind: 'write-back', writeback: ['--writeback'] },
])('what programs rely on, $kind', ({ writeback }) => {
  const sandbox = new Sandbox();

  beforeAll(async () => {
    sandbox.prepare(`${fillLower}; cp /bin/sleep usr/lib/sleep; chmod 755 usr/lib/echo`);
    await mount(sandbox, 'directory', ...writeback);
  });

  afterAll(async () => {
    await sandbox.end();
  });

  function python(script: string): string {
    return sandbox.run(
      `cd "$M"; python3 - <<'END'\nimport os, errno, mmap, fcntl, ctypes, stat, socket, struct, time\n${script}\nEND`,
    );
  }

  test('inode numbers stay over copy-up, of hard links too', () => {
    const numbers = sandbox.run('stat -c %i "$M/etc/low" "$M/etc/low-link" "$M/etc/both" "$M/etc"');
    sandbox.run('cd "$M/etc"; echo x >> low; chmod 600 both; touch new');
    expect(sandbox.run('stat -c %i "$M/etc/low" "$M/etc/low-link" "$M/etc/both" "$M/etc"')).toBe(numbers);
    expect(sandbox.run('cat "$M/etc/low-link"; stat -c %h "$M/etc/low-link"')).toBe('low\nx\n2\n');
  });

  test('files without a name stay open: unlinked, renamed over, O_TMPFILE', () => {
    expect(
      python(`
fd = os.open('etc/gone', os.O_RDWR | os.O_CREAT); os.write(fd, b'one'); os.unlink('etc/gone')
os.pwrite(fd, b'TWO', 1); print(os.pread(fd, 10, 0), os.fstat(fd).st_nlink)
low = os.open('usr/share/doc/file9', os.O_RDONLY); open('new9', 'w').write('new'); os.rename('new9', 'usr/share/doc/file9')
print(os.read(low, 100), open('usr/share/doc/file9').read())
tmp = os.open('etc', os.O_TMPFILE | os.O_RDWR, 0o640); os.write(tmp, b'temp')
os.link('/proc/self/fd/%d' % tmp, 'etc/named', src_dir_fd=low); print(open('etc/named').read(), oct(os.fstat(tmp).st_mode))
`),
    ).toBe("b'oTWO' 0\nb'doc 9\\n' new\ntemp 0o100640\n");
  });

  test('shared mappings, sendfile, holes, fallocate, copy_file_range', () => {
    expect(
      python(`
fd = os.open('map', os.O_RDWR | os.O_CREAT); os.ftruncate(fd, 8192); m = mmap.mmap(fd, 8192)
m[5000:5003] = b'abc'; m.flush(); print(os.pread(fd, 3, 5000))
s = os.open('usr/lib/sparse', os.O_RDWR); print(os.lseek(s, 0, os.SEEK_DATA), os.lseek(s, 0, os.SEEK_HOLE), os.fstat(s).st_size)
os.pwrite(s, b'x', 0); print(os.stat('usr/lib/sparse').st_blocks < 100, os.pread(s, 3, 10 << 20))
f = os.open('room', os.O_RDWR | os.O_CREAT); os.posix_fallocate(f, 0, 100000); print(os.fstat(f).st_size, os.fstat(f).st_blocks >= 195)
n = os.open('usr/lib/deep/er/numbers', os.O_RDONLY); print(os.copy_file_range(n, f, 5, 2, 10), os.pread(f, 5, 10), os.sendfile(f, n, 0, 4))
`),
    ).toBe("b'abc'\n10485760 0 10485763\nTrue b'end'\n100000 True\n5 b'2\\n3\\n4' 4\n");
  });

  test('renameat2: NOREPLACE, EXCHANGE, WHITEOUT', () => {
    expect(
      python(`
libc = ctypes.CDLL(None, use_errno=True)
def rename(a, b, flags):
    return 0 if libc.renameat2(-100, a.encode(), -100, b.encode(), flags) == 0 else errno.errorcode[ctypes.get_errno()]
open('r1', 'w').write('1'); open('r2', 'w').write('2'); os.mkdir('rd')
print(rename('r1', 'r2', 1), rename('r1', 'r2', 2), open('r1').read(), rename('r1', 'usr', 2), open('usr').read(), os.listdir('r1'), rename('usr', 'r1', 2))
print(rename('r1', 'no', 2), rename('r2', 'r3', 4), os.path.lexists('r3'), stat.S_ISCHR(os.lstat('r2').st_mode))
`),
    ).toMatch(/^EEXIST 0 2 0 2 \['.*'\] 0\nENOENT 0 True True\n$/);
  });

  test('setuid goes with a write of somebody else and with chown; xattrs; ACLs', () => {
    expect(
      python(`
os.setxattr('etc/both', 'user.a', b'1'); os.setxattr('etc/both', 'user.b', b'2' * 5000); print(sorted(os.listxattr('etc/both')), len(os.getxattr('etc/both', 'user.b')))
os.removexattr('etc/both', 'user.a')
try: os.getxattr('etc/both', 'user.a')
except OSError as e: print(errno.errorcode[e.errno])
cap = struct.pack('<IIIII', 0x02000001, 1 << 10, 0, 0, 0)
os.setxattr('usr/lib/echo', 'security.capability', cap); open('usr/lib/echo', 'ab').write(b' ')
try: os.getxattr('usr/lib/echo', 'security.capability')
except OSError as e: print(errno.errorcode[e.errno])
os.chmod('usr/lib/echo', 0o6755); os.chown('usr/lib/echo', 0, 0); print(oct(os.stat('usr/lib/echo').st_mode))
os.mkdir('acl'); acl = struct.pack('<I', 2) + b''.join(struct.pack('<HHI', t, p, 0xffffffff if t != 2 else 0) for t, p in [(1, 7), (2, 6), (4, 5), (16, 7), (32, 0)])
os.setxattr('acl', 'system.posix_acl_default', acl); os.umask(0); open('acl/f', 'w'); os.mkdir('acl/d', 0o755)
print(oct(os.stat('acl/f').st_mode), os.listxattr('acl/f'), sorted(os.listxattr('acl/d')))
os.chmod('acl/f', 0o600); print(os.getxattr('acl/f', 'system.posix_acl_access')[30:32], oct(os.stat('acl/f').st_mode))
`),
    ).toBe(
      "['user.a', 'user.b'] 5000\nENODATA\nENODATA\n0o100755\n0o100660 ['system.posix_acl_access'] ['system.posix_acl_access', 'system.posix_acl_default']\nb'\\x00\\x00' 0o100600\n",
    );
  });

  test('running programs, locks, sockets, fifos, times', () => {
    expect(
      python(`
pid = os.spawnl(os.P_NOWAIT, 'usr/lib/sleep', 'sleep', '5'); time.sleep(0.3)
try: os.open('usr/lib/sleep', os.O_WRONLY)
except OSError as e: print(errno.errorcode[e.errno])
os.kill(pid, 9); os.waitpid(pid, 0)
a = open('lock', 'w'); b = open('lock', 'w'); fcntl.flock(a, fcntl.LOCK_EX)
try: fcntl.flock(b, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError as e: print(errno.errorcode[e.errno])
s = socket.socket(socket.AF_UNIX); s.bind('sock'); s.listen(); c = socket.socket(socket.AF_UNIX); c.connect('sock'); print(stat.S_ISSOCK(os.stat('sock').st_mode))
os.mkfifo('pipe'); r = os.open('pipe', os.O_RDONLY | os.O_NONBLOCK); w = os.open('pipe', os.O_WRONLY); os.write(w, b'p'); print(os.read(r, 1))
os.utime('etc/both', ns=(1, 1234567890123456789)); print(os.stat('etc/both').st_mtime_ns, os.stat('etc/both').st_atime_ns)
before = os.stat('etc').st_mtime_ns; open('etc/t', 'w'); print(os.stat('etc').st_mtime_ns > before, abs(os.stat('etc/t').st_mtime - time.time()) < 1)
x = os.open('app', os.O_WRONLY | os.O_APPEND | os.O_CREAT); y = os.open('app', os.O_WRONLY | os.O_APPEND); os.write(x, b'a'); os.write(y, b'b'); os.write(x, b'c'); print(open('app').read())
d = os.open('etc', os.O_RDONLY); os.fsync(d); os.fsync(x); os.sync()
`),
    ).toBe("ETXTBSY\nEAGAIN\nTrue\nb'p'\n1234567890123456789 1\nTrue True\nabc\n");
  });

  test('random operations on one file give what they would in memory', () => {
    const seed = Number(process.env['UNION_SEED'] ?? Date.now() % 1_000_000);
    const script = `
import random
random.seed(${seed}); path = 'usr/lib/deep/er/numbers'; want = bytearray(open(path, 'rb').read())
fd = os.open(path, os.O_RDWR); libc = ctypes.CDLL(None, use_errno=True)
def put(at, data):
    global want
    if at > len(want): want += bytes(at - len(want))
    want[at:at + len(data)] = data
for step in range(4000):
    kind = random.randrange(10); at = random.randrange(max(1, len(want) + 5000)); size = random.randrange(1, 20000); data = random.randbytes(size)
    if kind < 3: os.pwrite(fd, data, at); put(at, data)
    elif kind < 6: assert os.pread(fd, size, at) == bytes(want[at:at + size]), (step, 'read', at, size)
    elif kind == 6:
        length = random.choice([0, at, at // 2]) if random.random() < 0.3 else at; os.ftruncate(fd, length)
        if length <= len(want): del want[length:]
        else: want += bytes(length - len(want))
    elif kind == 7 and len(want) > 0:
        with mmap.mmap(fd, len(want)) as m:
            at = random.randrange(len(want)); size = min(size, len(want) - at); m[at:at + size] = data[:size]
        put(at, data[:size])
    elif kind == 8:
        if libc.fallocate(fd, 3, ctypes.c_long(at), ctypes.c_long(size)) == 0: want[at:at + size] = bytes(max(0, min(size, len(want) - at)))
    elif kind == 9:
        os.fsync(fd); os.close(fd); fd = os.open(path, os.O_RDWR)
        if random.random() < 0.2: os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    assert os.fstat(fd).st_size == len(want), (step, kind, 'size')
assert open(path, 'rb').read() == bytes(want)
print('same')
`;
    expect(`${seed} ${python(script)}`).toBe(`${seed} same\n`);
  });

  test('a listing that is being read while names come and go has every name that stays once', () => {
    const names = python(`
os.mkdir('busy')
for n in range(2000): open('busy/f%d' % n, 'w').close()
it = os.scandir('busy'); seen = [next(it).name for _ in range(100)]
for n in range(0, 2000, 2): os.unlink('busy/f%d' % n)
for n in range(500): open('busy/g%d' % n, 'w').close()
seen += [e.name for e in it]
odd = [n for n in seen if n[0] == 'f' and int(n[1:]) % 2]
print(len(odd), len(set(odd)))
`);
    expect(names).toBe('1000 1000\n');
  });

  test('the quota is what df shows, ends in ENOSPC, and room comes back', async () => {
    await sandbox.unmount();
    await mount(sandbox, 'directory', ...writeback, '--size', String(20 << 20), '--inodes', '5000');
    expect(sandbox.run('df --output=size,itotal -B1 "$M" | tail -1').trim()).toMatch(/^20971520 +5000$/);
    expect(() => sandbox.run('dd if=/dev/zero of="$M/full" bs=1M count=30')).toThrow('No space left on device');
    expect(sandbox.run('stat -c %s "$M/full"; cat "$M/etc/low-link"')).toMatch(/^\d{8}\nlow\nx\n$/);
    sandbox.run('rm "$M/full"; dd if=/dev/zero of="$M/half" bs=1M count=10 2>/dev/null; cat "$M/half" | wc -c');
    expect(() => sandbox.run('mkdir "$M/many"; cd "$M/many"; seq 5000 | xargs touch')).toThrow(
      'No space left on device',
    );
    sandbox.run('rm -r "$M/many" "$M/half"; touch "$M/fits"');
  });
});

describe('on a disk that is full', () => {
  const sandbox = new Sandbox();

  beforeAll(async () => {
    process.env['UPPER_TMPFS'] = 'size=2m,nr_inodes=2000';
    sandbox.prepare(fillLower);
    await mount(sandbox, 'directory');
  });

  afterAll(async () => {
    delete process.env['UPPER_TMPFS'];
    await sandbox.end();
  });

  test('programs get ENOSPC, nothing breaks, and there is room again after rm', async () => {
    const look = `cd "$M"; find . -printf '%p %i %y %m %s %l\n' | sort`;
    sandbox.run('cd "$M"; cp -r usr/share/doc kept; echo kept >> etc/low');
    for (let round = 0; round < 2; round++) {
      // Metadata until the journal has no room, then contents, with a takeover between.
      expect(() => sandbox.run('mkdir -p "$M/names"; cd "$M/names"; seq 12000 | xargs touch')).toThrow('No space left');
      expect(() => sandbox.run('cat /dev/zero > "$M/zeros"')).toThrow('No space left');
      expect(() =>
        sandbox.run(
          'cp "$M/usr/lib/deep/er/numbers" "$M/copy" && echo x >> "$M/usr/lib/sparse"; cat "$M/copy" /dev/zero > "$M/etc/both"',
        ),
      ).toThrow();
      const before = sandbox.run(look);
      process.kill((await sandbox.servers(round + 1)).at(-1)!, 'SIGKILL');
      await sandbox.servers(round + 2);
      expect(sandbox.run(look)).toBe(before);
      sandbox.run(
        'cd "$M"; rm -rf names zeros copy; : > etc/both; diff -r usr/share/doc kept; cat etc/low-link; echo fits > fits',
      );
    }
    expect(sandbox.errors).toBe('');
  });
});

describe('several lower directories', () => {
  const sandbox = new Sandbox();

  beforeAll(async () => {
    sandbox.prepare(`${fillLower}; cd "$D/top"; mkdir -p etc usr/share opaque whited; echo top > etc/both; echo only > etc/top;
      touch opaque/.wh..wh..opq whited/.wh.gone usr/share/.wh.doc; echo file > usr/lib`);
    await mount(sandbox, 'directories');
  });

  afterAll(async () => {
    await sandbox.end();
  });

  test('are one tree: merged, hidden, whited out', () => {
    expect(sandbox.run('cd "$M"; cat etc/both etc/top etc/low usr/lib; ls -mA opaque whited usr usr/share')).toBe(
      'top\nonly\nlow\nfile\nopaque:\n\nusr:\nlib, share\n\nusr/share:\n\nwhited:\n',
    );
  });
});
