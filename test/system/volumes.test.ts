/**
 * `-v`, `--mount` and `trun volume`.
 */
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Result } from '../helpers/command.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ images: ['busybox', 'features'] });

let folder: string;
beforeAll(() => {
  if (!bed.isOpen) return;
  folder = join(bed.box.folder, 'shared');
  mkdirSync(folder);
  writeFileSync(join(folder, 'from-host'), 'from the host\n');
});

function busybox(options: readonly string[], script: string): Promise<string> {
  return bed.box.ok(['run', '--rm', ...options, bed.image('busybox'), 'sh', '-c', script]);
}

function fails(options: readonly string[]): Promise<Result> {
  return bed.box.trun(['run', '--rm', ...options, bed.image('busybox'), 'true']);
}

describe('a folder of the host', () => {
  test('is read and written through, and its new files are the user’s', async () => {
    expect(await busybox(['-v', `${folder}:/shared`], 'cat /shared/from-host; echo inside >/shared/from-box')).toBe(
      'from the host',
    );
    expect(readFileSync(join(folder, 'from-box'), 'utf8')).toBe('inside\n');
    expect(statSync(join(folder, 'from-box')).uid).toBe(process.getuid!());
  });

  test(':ro, and readonly of --mount', async () => {
    for (const option of [
      ['-v', `${folder}:/shared:ro`],
      ['--mount', `type=bind,source=${folder},target=/shared,readonly`],
      ['--mount', `type=bind,src=${folder},dst=/shared,ro`],
    ]) {
      expect(await busybox(option, 'cat /shared/from-host; touch /shared/x 2>&1 || true')).toMatch(
        /^from the host\n.*read-only/i,
      );
    }
    expect(existsSync(join(folder, 'x'))).toBe(false);
  });

  test('a single file', async () => {
    expect(await busybox(['-v', `${folder}/from-host:/etc/passwd`], 'cat /etc/passwd')).toBe('from the host');
  });

  test('-v makes a missing folder, --mount refuses it', async () => {
    await busybox(['-v', `${folder}/made:/made`], 'echo x >/made/f');
    expect(readFileSync(join(folder, 'made/f'), 'utf8')).toBe('x\n');
    const { status, stderr } = await fails(['--mount', `type=bind,source=${folder}/missing,target=/m`]);
    expect(status).toBe(125);
    expect(stderr).toMatch(/missing/);
  });

  test('a link in the image does not lead the mount out of the container', async () => {
    const target = join(folder, 'out');
    mkdirSync(target);
    symlinkSync('/etc', join(folder, 'link'));
    await busybox(['-v', `${folder}:/shared`, '-v', `${folder}/out:/shared/link`], 'true').catch(() => undefined);
    expect(existsSync('/etc/from-host')).toBe(false);
  });

  test.each([':', 'relative:', '/a:/b:/c:/d', '/a:b', '/a:/b:nonsense'])('-v %s is an error', async (value) => {
    expect((await fails(['-v', value])).status).toBe(125);
  });

  test.each([
    'type=bind',
    'type=nonsense,target=/x',
    'target=relative,type=tmpfs',
    'type=bind,source=/tmp,target=/x,what=1',
  ])('--mount %s is an error', async (value) => {
    expect((await fails(['--mount', value])).status).toBe(125);
  });

  test('shows in inspect', async () => {
    await bed.box.ok(['run', '-d', '--name', 'mounts', '-v', `${folder}:/shared:ro`, bed.image('busybox'), 'true']);
    expect(JSON.parse(await bed.box.inspect('mounts', '{{json .Mounts}}'))).toEqual([
      expect.objectContaining({ Type: 'bind', Source: folder, Destination: '/shared', RW: false }),
    ]);
    await bed.box.ok('rm mounts');
  });
});

describe('--mount type=tmpfs', () => {
  test('with a size', async () => {
    const script = 'grep " /t " /proc/mounts | cut -d" " -f3; dd if=/dev/zero of=/t/x bs=1k count=2000 2>&1 || true';
    expect(await busybox(['--mount', 'type=tmpfs,target=/t,tmpfs-size=1m'], script)).toMatch(
      /^tmpfs\n.*no space left/i,
    );
  });
});

describe('a named volume', () => {
  test('outlives its containers', async () => {
    await busybox(['-v', 'data:/data'], 'echo kept >/data/f');
    expect(await busybox(['-v', 'data:/elsewhere'], 'cat /elsewhere/f')).toBe('kept');
    expect(
      await busybox(['--mount', 'type=volume,source=data,target=/d,readonly'], 'cat /d/f; touch /d/x 2>&1 || true'),
    ).toMatch(/^kept\n.*read-only/i);
    await bed.box.ok('volume rm data');
  });

  test('begins with what the image has there', async () => {
    onTestFinished(async () => {
      await bed.box.trun('volume rm filled');
    });
    const words = ['run', '--rm', '-u', '0', '-v', 'filled:/data', '--entrypoint', 'cat', bed.image('features')];
    expect(await bed.box.ok([...words, '/data/replaced'])).toBe('new');
    expect(await busybox(['-v', 'filled:/x'], 'cat /x/replaced')).toBe('new');
  });

  test('is shared by containers at once', async () => {
    await bed.box.ok([
      'run',
      '-d',
      '--name',
      'writer',
      '-v',
      'both:/v',
      bed.image('busybox'),
      'sh',
      '-c',
      'echo w >/v/w; sleep 100',
    ]);
    expect(await busybox(['-v', 'both:/v'], 'until [ -e /v/w ]; do sleep 0.1; done; cat /v/w')).toBe('w');
    const { status, stderr } = await bed.box.trun('volume rm both');
    expect(status).toBe(1);
    expect(stderr).toMatch(/in use/);
    await bed.box.ok('rm -f writer');
    await bed.box.ok('volume rm both');
  });
});

describe('trun volume', () => {
  test('create, ls, inspect, rm', async () => {
    expect(await bed.box.ok('volume create mine')).toBe('mine');
    expect(await bed.box.ok('volume create mine')).toBe('mine');
    const [header, ...rows] = (await bed.box.ok('volume ls')).split('\n');
    expect(header).toMatch(/^DRIVER\s+VOLUME NAME$/);
    expect(rows).toContainEqual(expect.stringMatching(/^local\s+mine$/));
    expect(await bed.box.ok('volume ls -q')).toBe('mine');
    const [volume] = JSON.parse(await bed.box.ok('volume inspect mine')) as Record<string, unknown>[];
    expect(volume).toMatchObject({
      Name: 'mine',
      Driver: 'local',
      Mountpoint: expect.stringContaining(bed.box.root) as string,
    });
    expect(await bed.box.ok('volume rm mine')).toBe('mine');
    expect(await bed.box.ok('volume ls -q')).toBe('');
  });

  test('without a name makes one up', async () => {
    const name = await bed.box.ok('volume create');
    expect(name).toMatch(/^[0-9a-f]{64}$/);
    await bed.box.ok(['volume', 'rm', name]);
  });

  test.each(['no-such-volume', '../escape', 'a/b'])('rm and inspect %s are errors', async (name) => {
    const removed = await bed.box.trun(['volume', 'rm', name]);
    expect(removed.status).toBe(1);
    expect(removed.stderr.trimEnd().split('\n')).toHaveLength(1);
    expect((await bed.box.trun(['volume', 'inspect', name])).status).toBe(1);
  });

  test('an unnamed one goes with its container', async () => {
    await busybox(['-v', '/anonymous'], 'echo x >/anonymous/f');
    expect(await bed.box.ok('volume ls -q')).toBe('');
  });

  test.each(['a b', '', '.x', 'a/b'])('create %j is an error', async (name) => {
    expect((await bed.box.trun(['volume', 'create', name])).status).toBe(1);
  });
});
