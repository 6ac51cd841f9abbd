/**
 * A container's file system, with both kinds of writable layer: what programs do to files, and that it stays.
 *
 * Runs as: user, nosub
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ images: ['busybox', 'features'] });
let count = 0;

describe.each(['kernel', 'fuse'])('writable=%s', (writable) => {
  const option = ['--storage-opt', `writable=${writable}`];

  function shell(script: string): Promise<string> {
    return bed.box.ok(['run', '--rm', ...option, bed.image('busybox'), 'sh', '-c', `set -e; ${script}`]);
  }

  /** The same, on an image with a folder tree in lower layers. */
  function features(script: string): Promise<string> {
    const words = ['run', '--rm', ...option, '-u', '0', '--entrypoint', 'sh', bed.image('features')];
    return bed.box.ok([...words, '-c', `set -e; cd /data; ${script}`]);
  }

  test('files are made, written, read, appended to, cut and removed', async () => {
    // Read by head: busybox's cat hands its pipe the file's own pages (sendfile), which the cut would change.
    const script = `echo one >/f; echo two >>/f; head -n 9 /f; truncate -s 4 /f; head -n 9 /f; dd if=/dev/zero of=/f bs=1 seek=10 count=1 2>/dev/null
      stat -c %s /f; rm /f; test ! -e /f; mkdir -p /a/b/c; rmdir /a/b/c; rm -r /a; test ! -e /a; echo done`;
    expect(await shell(script)).toBe('one\ntwo\none\n11\ndone');
  });

  test('files of the image are changed, and only in this container', async () => {
    expect(await features('echo more >>kept; cat kept; cat hardlink')).toMatch(/^kept\nmore\nkept(\nmore)?$/);
    expect(await features('cat kept')).toBe('kept');
  });

  test('files of the image are removed, made again, and stay so', async () => {
    const script =
      'rm kept; test ! -e kept; ls | grep -c "^kept$" || true; echo new >kept; cat kept; rm -r folder; mkdir folder; ls -A folder';
    expect(await features(script)).toBe('0\nnew');
  });

  test('modes, owners and times of image files', async () => {
    const script = `chmod 640 kept; touch -d '2001-02-03 04:05:06' kept; stat -c '%a %y' kept; chmod 4711 setuid; stat -c %a setuid`;
    expect(await features(script)).toMatch(/^640 2001-02-03 04:05:06.*\n4711$/);
  });

  test('names of 255 bytes, strange names, deep folders', async () => {
    const script = `name=$(head -c 255 /dev/zero | tr '\\0' n); echo x >/$name; cat /$name
      mkdir '/a "b'; echo y >"/a \\"b/ü
z"; cat "/a \\"b/ü
z"; path=; for i in $(seq 60); do path=$path/folder$i; done; mkdir -p $path; echo deep >$path/f; cat $path/f
      echo x >/${'n'.repeat(256)} 2>/dev/null || echo too long`;
    expect(await shell(script)).toBe('x\ny\ndeep\ntoo long');
  });

  test('hard links and symbolic links', async () => {
    const script = `echo x >/a; ln /a /b; stat -c %h /a; echo y >>/b; cat /a; ln -s /a /l; cat /l; readlink /l
      ln -s nowhere /d; cat /d 2>/dev/null || echo dangling; rm /a; cat /b; stat -c %h /b`;
    expect(await shell(script)).toBe('2\nx\ny\nx\ny\n/a\ndangling\nx\ny\n1');
  });

  test('a link to an image file shares its contents', async () => {
    expect(await features('ln kept link; echo more >>link; cat kept; stat -c %i kept link | uniq | wc -l')).toBe(
      'kept\nmore\n1',
    );
  });

  test('rename: files, over files, folders, folders of the image', async () => {
    const script = `echo a >/a; echo b >/b; mv /a /b; cat /b; test ! -e /a; mkdir /d; echo f >/d/f; mv /d /e; cat /e/f
      mv /var/www /moved; cat /moved/index.html; test ! -e /var/www; mkdir /var/www; ls /var/www; mv /moved/index.html /etc/passwd; cat /etc/passwd`;
    expect(await shell(script)).toBe('a\nf\nserved by busybox\nserved by busybox');
  });

  test('a fifo connects two processes', async () => {
    expect(await shell('mkfifo /p; (echo through >/p &) ; cat /p; stat -c %F /p')).toBe('through\nfifo');
  });

  test('an open file that is removed lives on', async () => {
    expect(await shell('echo held >/f; exec 5</f; rm /f; cat <&5; echo other >/f; cat /f')).toBe('held\nother');
    expect(await features('exec 5<kept; rm kept; cat <&5')).toBe('kept');
  });

  test('200 MB written is read back', async () => {
    const script = `yes 0123456789abcde | head -c 209715200 >/big; sync; stat -c %s /big; md5sum </big; yes 0123456789abcde | head -c 209715200 | md5sum`;
    const [size, first, second] = (await shell(script)).split('\n');
    expect(size).toBe('209715200');
    expect(first).toBe(second);
  });

  test('2000 files in one folder', async () => {
    const script =
      'mkdir /many; cd /many; for i in $(seq 2000); do echo $i >f$i; done; ls | wc -l; cat * | sort -n | tail -n 1; rm -r /many; test ! -e /many';
    expect(await shell(script)).toBe('2000\n2000');
  });

  test('a folder is listed whole while its files are removed', async () => {
    expect(
      await shell('mkdir /d; cd /d; for i in $(seq 500); do : >$i; done; find . -type f -exec rm {} +; ls | wc -l'),
    ).toBe('0');
  });

  test('tar out and in again keeps everything', async () => {
    const script = `tar -cf /t.tar . ; mkdir /out; tar -xf /t.tar -C /out; cd /out; cat replaced symlink 'ünïcödé 名前'; stat -c %a setuid; stat -c %h kept`;
    expect(await features(script)).toBe('new\nkept\nunicode\n4755\n2');
  });

  test('changes outlive stop and start', async () => {
    const name = `fs-${count++}`;
    onTestFinished(async () => {
      await bed.box.trun(['rm', '-f', name]);
    });
    const script =
      'ls /data; if [ -e /data/mark ]; then echo again; else echo first; rm -r /data/folder; echo x >/data/mark; chmod 600 /data/mark; ln -s y /data/z; fi';
    const words = [
      'run',
      '--name',
      name,
      ...option,
      '-u',
      '0',
      '--entrypoint',
      'sh',
      bed.image('features'),
      '-c',
      script,
    ];
    expect((await bed.box.ok(words)).split('\n')).toContain('first');
    await bed.box.ok(['start', name]);
    await bed.box.ok(['wait', name]);
    const second = (await bed.box.ok(['logs', name])).split('first\n')[1]!;
    expect(second).toContain('again');
    expect(second).toContain('mark');
    expect(second).not.toContain('folder');
  });

  test('two containers of one image keep their changes apart', async () => {
    const one = shell('echo one >/etc/passwd; sleep 1; cat /etc/passwd');
    const two = shell('echo two >/etc/passwd; sleep 1; cat /etc/passwd');
    expect(await Promise.all([one, two])).toEqual(['one', 'two']);
  });
});

test('with writable=fuse everything on disk is the user’s while the container is there', async () => {
  const script =
    'mkdir /d; for u in 0 1 33; do touch /d/$u; chown $u /d/$u 2>/dev/null; done; chmod 000 /d/0; mkfifo /d/p';
  const words = ['run', '--name', 'owned', '--storage-opt', 'writable=fuse', bed.image('busybox')];
  await bed.box.trun([...words, 'sh', '-c', script]);
  expect(await bed.box.foreignFiles()).toBe('');
  await bed.box.ok('rm owned');
});

/** What a developer does, on the host's own tools. */
describe.each(['kernel', 'fuse'])('the host image with writable=%s', (writable) => {
  const words = ['run', '--rm', '--storage-opt', `writable=${writable}`, 'host', 'sh', '-ec'];

  test('git clone of a local repository, commit, status', async ({ skip }) => {
    if ((await bed.box.trun([...words, 'git --version'])).status !== 0) skip('git is not installed');
    const script = `
      export HOME=/repositories GIT_CONFIG_NOSYSTEM=1; mkdir /repositories; cd /repositories; git init -q -b main one; cd one
      git config user.email a@b; git config user.name a
      for i in $(seq 200); do mkdir -p d$((i % 7)); echo $i >d$((i % 7))/f$i; done
      git add -A; git commit -q -m first; git clone -q --no-hardlinks /repositories/one /repositories/two; cd /repositories/two
      git status --porcelain | wc -l; git log --oneline | wc -l; git fsck --strict 2>&1 | grep -c error || true
      echo changed >d1/f1; git diff --stat | tail -n 1; git gc -q; git status --porcelain`;
    const printed = await bed.box.ok([...words, script], { timeout: 120_000 });
    expect(printed.split('\n').map((line) => line.trim())).toEqual([
      '0',
      '1',
      '0',
      '1 file changed, 1 insertion(+), 1 deletion(-)',
      'M d1/f1',
    ]);
  });

  test('locks hold between processes', async () => {
    const script = 'touch /l; flock /l sh -c "sleep 1; echo first" & sleep 0.3; flock /l echo second; wait';
    expect(await bed.box.ok([...words, script])).toBe('first\nsecond');
  });

  test('a unix socket in the file system connects two processes', async () => {
    const server = 'my $s = IO::Socket::UNIX->new(Local => "/s", Listen => 1); print {$s->accept} "through\\n"';
    const client = 'print IO::Socket::UNIX->new(Peer => "/s")->getline';
    const script = `perl -MIO::Socket::UNIX -e '${server}' & until [ -S /s ]; do sleep 0.1; done; perl -MIO::Socket::UNIX -e '${client}'`;
    expect(await bed.box.ok([...words, script])).toBe('through');
  });

  test('a C program is built and runs', async ({ skip }) => {
    if ((await bed.box.trun([...words, 'gcc --version'])).status !== 0) skip('gcc is not installed');
    const source = join(bed.box.home, `hello-${writable}.c`);
    writeFileSync(source, '#include <stdio.h>\nint main(void) { puts("built inside"); return 0; }\n');
    const script = `mkdir /build; cd /build; cp ${source} hello.c; gcc -O2 -c hello.c; ar rc libhello.a hello.o; gcc -o hello hello.o; ./hello`;
    expect(await bed.box.ok([...words, script], { timeout: 120_000 })).toBe('built inside');
  });
});
