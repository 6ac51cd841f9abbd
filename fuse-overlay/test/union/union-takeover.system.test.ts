/** The server of a union is killed with -9 again and again while programs write and read; successors go on, and nobody notices. */
import { release } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { packDirectory } from '../support/pack-directory.ts';
import { Sandbox } from '../support/sandbox.ts';

const [major, minor] = release().split('.').map(Number) as [number, number];
const hasResend = major > 6 || (major === 6 && minor >= 9);
const kills = Number(process.env['UNION_KILLS'] ?? 12);

/** Workers that go on until the file `stop` appears; each checks what it wrote. */
const workers = {
  trees: `
    n=0
    while [ ! -e "$D/stop" ]; do
      n=$((n + 1)); cp -r "$M/lower" "$M/copy$n"; diff -r "$M/lower" "$M/copy$n"
      mv "$M/copy$n" "$M/moved$n"; tar cf "$M/t$n.tar" -C "$M" "moved$n"; rm -rf "$M/moved$n"
      tar xf "$M/t$n.tar" -C "$M"; diff -r "$M/lower" "$M/moved$n"; rm -rf "$M/moved$n" "$M/t$n.tar"
    done; echo done`,
  appends: `
    cd "$M"; n=0
    while [ ! -e "$D/stop" ]; do n=$((n + 1)); echo $n >> log; echo $n > part; mv part whole; test "$(cat whole)" = $n; done
    seq $n | cmp - log && echo done`,
  unlinked: `
    cd "$M"; python3 - <<'END'
import os
fd = os.open('held', os.O_RDWR | os.O_CREAT); os.unlink('held')
low = os.open('other/f7', os.O_RDWR); expected = os.read(low, 100000); os.unlink('other/f7')
tmp = os.open('.', os.O_TMPFILE | os.O_RDWR)
n = 0
while not os.path.exists(os.environ['D'] + '/stop'):
    for each in (fd, tmp):
        os.pwrite(each, b'%08d' % n, n * 8)
    assert os.pread(low, 100000, 0) == expected
    assert os.pread(fd, 8, n * 8) == b'%08d' % n
    n += 1
for each in (fd, tmp):
    assert os.pread(each, n * 8, 0) == b''.join(b'%08d' % i for i in range(n)), 'contents of an unlinked file'
    assert os.fstat(each).st_nlink == 0
print('done')
END`,
  attributes: `
    cd "$M"; mkdir -p own; n=0
    while [ ! -e "$D/stop" ]; do
      n=$((n + 1)); echo $n > own/a$n; ln own/a$n own/b$n; chmod 640 own/b$n; touch -d @$n own/a$n
      test "$(stat -c '%a %h %Y %s' own/b$n)" = "640 2 $n $((\${#n} + 1))"; rm own/a$n; test "$(stat -c %h own/b$n)" = 1
      ln -s x own/l$n; test "$(readlink own/l$n)" = x; rm own/l$n
    done; test "$(ls own | wc -l)" = $n && echo done`,
};

describe.skipIf(!hasResend).each(['directory', 'tree'] as const)(
  'over a lower layer of kind %s (Linux 6.9)',
  (kind) => {
    const sandbox = new Sandbox();
    let argv: string[];

    beforeAll(async () => {
      sandbox.prepare(`cd "$D/lower"; mkdir lower; cd lower; for d in 1 2 3 4 5; do mkdir d$d; for f in $(seq 20); do
      seq $((f * 100)) > d$d/f$f; done; done; cp -r d1 ../other`);
      argv = ['--lower', sandbox.path('lower')];
      if (kind === 'tree') {
        const { index, files } = packDirectory(sandbox.path('lower'), join(sandbox.directory, 'packed'), {
          owner: { uid: 0, gid: 0 },
        });
        argv = ['--tree', index, '--files', files];
      }
      await sandbox.startUnion(...argv);
    });

    afterAll(async () => {
      await sandbox.end();
    });

    test(`${kills} kills under load`, async () => {
      const running = Object.entries(workers).map(async ([name, script]) => ({
        name,
        ...(await sandbox.runBeside(script)),
      }));
      for (let kill = 1; kill <= kills; kill++) {
        await new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 300));
        const servers = await sandbox.servers(kill);
        process.kill(servers.at(-1)!, 'SIGKILL');
      }
      sandbox.prepare('touch "$D/stop"');
      for (const result of await Promise.all(running)) {
        expect(result).toEqual({ name: result.name, code: 0, output: 'done\n', errors: '' });
      }
      expect(sandbox.errors).toBe('');
    });

    test('what is left is the same after a remount, and nothing is left of what has no name', async () => {
      const look = `cd "$M"; find . -printf '%p %i %m %n %s %T@ %l\n' | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum`;
      const before = sandbox.run(look);
      await sandbox.unmount();
      await sandbox.startUnion(...argv);
      expect(sandbox.run(look)).toBe(before);
      sandbox.run('rm -rf "$M/own" "$M/log" "$M/whole" "$M"/t*.tar');
      await sandbox.unmount();
      await sandbox.startUnion(...argv);
      expect(sandbox.prepare('find "$D/upper/data" -type f')).toBe('');
    });
  },
);
