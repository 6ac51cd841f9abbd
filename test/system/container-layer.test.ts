/**
 * `trun diff`, `export`, `import` and `commit`, over both kinds of writable layer.
 *
 * Runs as: user, nosub
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { buildTar } from '../../src/image/testing/tar-builder.ts';
import { TarReader } from '../../src/image/unpack/tar-reader.ts';
import { output } from '../helpers/command.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ images: ['busybox'] });

const CHANGES = [
  'echo new > /etc/new; rm /bin/cat; rm -rf /var/www; mkdir /var/www; touch -d @1 /var/www/x',
  'ln /etc/new /root/link; chmod 4755 /bin/busybox; mkfifo /tmp/fifo; mkdir -m 1777 -p /a/b; ln -s target /a/symlink',
  'mv /home/guest /a/moved; rm -rf /usr/sbin; touch /usr/sbin; echo x >> /etc/group; dd if=/dev/zero of=/a/b/big bs=1M count=3',
  `printf y > "/a/$(printf '\\377\\376 name')"; mkdir -p /a/${'long/'.repeat(40)}end; nc -l -U /a/socket & sleep 0.1; kill $!`,
].join('; ');

/**
 * Everything that stat(1) tells of every file, mounts aside, and which files have several names. Two directories get another time
 * whenever something is mounted in them.
 */
const DESCRIBE =
  'find / -xdev ! -path "/proc*" ! -path "/sys*" ! -path "/dev*" ! -path /etc/hosts ! -path /etc/hostname ! -path /etc/resolv.conf ! -type s ' +
  '-exec stat -c "%n %F %a %u:%g %Y %N" {} + | sort | sed -E "s,^(/|/etc) .*,,"; find / -xdev -type f -links +1 | sort; md5sum /a/b/big /etc/* | grep -v /etc/host | grep -v resolv';

describe.each(['kernel', 'fuse'])('a %s writable layer', (kind) => {
  const name = `changed-${kind}`;

  test('diff', async ({ skip }) => {
    const { box } = bed;
    const made = await box.trun([
      ...[
        'run',
        '--name',
        name,
        '--storage-opt',
        `writable=${kind}`,
        bed.image('busybox'),
        'sh',
        '-c',
        `${CHANGES}; ${DESCRIBE}`,
      ],
    ]);
    if (made.stderr.includes('cannot give a kernel writable layer')) return skip('no kernel overlay here');
    expect(made.status).toBe(0);
    const lines = (await box.ok(['diff', name])).split('\n').filter((line) => !line.includes('/a/long'));
    expect(lines).toEqual(
      [
        ...['A /a', 'A /a/b', 'A /a/b/big', 'A /a/moved', 'A /a/symlink', 'A /a/\ufffd\ufffd name'],
        ...[
          'C /bin',
          'C /bin/busybox',
          'D /bin/cat',
          'C /etc',
          'C /etc/group',
          'A /etc/new',
          'C /home',
          'D /home/guest',
        ],
        ...[
          'C /root',
          'A /root/link',
          'C /tmp',
          'A /tmp/fifo',
          'C /usr',
          'C /usr/sbin',
          'C /var',
          'C /var/www',
          'A /var/www/x',
        ],
      ].filter((line) => !line.startsWith('A /a/\ufffd') || lines.includes(line)),
    );
    expect(lines.some((line) => line.includes('hosts') || line.includes('/proc'))).toBe(false);
  });

  test('committed it is the same tree, attribute by attribute', async ({ skip }) => {
    const { box } = bed;
    if ((await box.trun(['inspect', name])).status !== 0) return skip('not made');
    const changes = ['-c', 'ENV ONE=1', '-c', 'CMD ["echo", "committed"]', '-m', 'a message', '-a', 'me'];
    const id = await box.ok(['commit', ...changes, name, `made:${kind}`]);
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await box.ok(['run', '--rm', `made:${kind}`])).toBe('committed');
    const there = await box.ok(['run', '--rm', `made:${kind}`, 'sh', '-c', DESCRIBE]);
    const whole = await box.ok(['export', name, '-o', join(box.folder, `${kind}.tar`)]);
    expect(whole).toBe('');
    await box.ok(['import', '-c', 'CMD ["true"]', join(box.folder, `${kind}.tar`), `flat:${kind}`]);
    expect(await box.ok(['run', '--rm', `flat:${kind}`, 'sh', '-c', DESCRIBE])).toBe(there);
    expect(there).toBe(await box.ok(['logs', name]));
    expect(there).toContain('/a/b/big');
    expect(await box.inspect(`made:${kind}`, '{{.Author}} {{.Comment}} {{len .RootFS.Layers}}')).toBe('me a message 2');
  });

  test('the exported archive is one that tar reads', async ({ skip }) => {
    const { box } = bed;
    if ((await box.trun(['inspect', name])).status !== 0) return skip('not made');
    await box.ok(['export', '-o', join(box.folder, 'listed.tar'), name]);
    const listed = await output('tar', ['--numeric-owner', '-tvf', join(box.folder, 'listed.tar')]);
    expect(listed).toMatch(/^hrw-r--r-- 0\/0 .* root\/link link to etc\/new$/m);
    expect(listed).toMatch(/^drwxr-xr-x .* proc\/$/m);
    expect(listed).not.toMatch(/\.wh\./);
  });
});

/** Path and attributes of the entries of an archive that have any. */
function xattrsIn(archive: Buffer): string[] {
  const found: string[] = [];
  const reader = new TarReader({
    entry: ({ path, xattrs }) => {
      for (const { name, value } of xattrs)
        found.push(`${path.toString()} ${name.toString()} ${value.toString('hex')}`);
    },
    data: () => undefined,
    hole: () => undefined,
    endOfEntry: () => undefined,
  });
  reader.write(archive);
  reader.end();
  return found;
}

test.each(['auto', 'fuse'])('file capabilities go through import, run, commit and export: %s', async (writable) => {
  const { box } = bed;
  const capability = '0100000200200000000000000000000000000000';
  const pax = { 'SCHILY.xattr.security.capability': Buffer.from(capability, 'hex'), 'SCHILY.xattr.user.key': 'value' };
  const archive = buildTar([
    { path: 'bin/busybox', content: await readFile('/bin/busybox'), mode: 0o755 },
    { path: 'program', content: 'x', mode: 0o755, pax },
  ]);
  await box.ok(['import', '-', 'capable:1'], { input: archive });
  const options = ['--name', 'capable', '--storage-opt', `writable=${writable}`];
  await box.ok(['run', ...options, 'capable:1', '/bin/busybox', 'mv', '/program', '/moved']);
  await box.ok(['commit', 'capable', 'capable:2']);
  await box.ok(['rm', 'capable']);
  await box.ok(['create', '--name', 'capable', 'capable:2', 'true']);
  await box.ok(['export', '-o', join(box.folder, 'capable.tar'), 'capable']);
  expect(xattrsIn(await readFile(join(box.folder, 'capable.tar')))).toEqual([
    `moved security.capability ${capability}`,
    `moved user.key ${Buffer.from('value').toString('hex')}`,
  ]);
  await box.ok(['rm', 'capable']);
});

test('a running container can be committed and told apart', async () => {
  const { box } = bed;
  await box.ok(['run', '-d', '--name', 'runs', bed.image('busybox'), 'sh', '-c', 'echo 1 > /one; sleep 1000']);
  await box.ok(['exec', 'runs', 'sh', '-c', 'while [ ! -s /one ]; do :; done']);
  expect(await box.ok(['diff', 'runs'])).toBe('A /one');
  const id = await box.ok(['commit', 'runs']);
  expect(await box.ok(['run', '--rm', id, 'cat', '/one'])).toBe('1');
  await box.ok(['rm', '-f', 'runs']);
});

test('bad input', async () => {
  const { box } = bed;
  const refused = [
    ['diff', 'nobody'],
    ['export', 'nobody'],
    ['commit', 'nobody'],
    ['import', '/nowhere.tar'],
    ['import', '/etc/passwd', 'x'],
  ];
  for (const words of refused) {
    const { status, stderr } = await box.trun(words);
    expect([words[0], status, stderr.trimEnd().split('\n').length]).toEqual([words[0], 1, 1]);
  }
});
