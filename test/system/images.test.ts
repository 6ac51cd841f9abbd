/**
 * `trun pull`, `images`, `rmi` and `inspect`, against a real registry.
 */
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { output } from '../helpers/command.ts';
import { makeImages } from '../helpers/images.ts';
import { hostArchitecture } from '../helpers/oci-layout.ts';
import { Registry, account } from '../helpers/registry.ts';
import { Sandbox } from '../helpers/sandbox.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ images: ['busybox'] });

/** A folder of the registry's storage with a copy of the fixtures, which a test may damage. */
async function storageCopy(box: Sandbox): Promise<string> {
  const target = join(box.folder, 'storage');
  await output('cp', ['-a', await makeImages(['busybox']), target]);
  return target;
}

describe('pull', () => {
  test("prints Docker's lines, and says when there is nothing to do", async () => {
    await using box = new Sandbox();
    const reference = bed.image('busybox');
    const first = await box.ok(['pull', reference]);
    expect(first).toMatch(/^latest: Pulling from library\/busybox$/m);
    expect(first).toMatch(/^[0-9a-f]{12}: Pull complete$/m);
    expect(first).toMatch(/^Digest: sha256:[0-9a-f]{64}$/m);
    expect(first).toContain(`Status: Downloaded newer image for ${reference}`);
    expect(first.split('\n').at(-1)).toBe(reference);
    expect(await box.ok(['pull', reference])).toContain(`Status: Image is up to date for ${reference}`);
  });

  test('-q prints the reference alone', async () => {
    expect(await bed.box.ok(['pull', '-q', bed.image('busybox')])).toBe(bed.image('busybox'));
  });

  test('fetches a shared layer once', async () => {
    const printed = await bed.box.ok(['pull', bed.image('features')]);
    expect(printed.match(/^[0-9a-f]{12}: Already exists$/gm)).toHaveLength(1);
    expect(printed.match(/^[0-9a-f]{12}: Pull complete$/gm)).toHaveLength(2);
  });

  test('by digest', async () => {
    await using box = new Sandbox();
    const digest = /^Digest: (sha256:[0-9a-f]{64})$/m.exec(await box.ok(['pull', bed.image('busybox')]))![1]!;
    const byDigest = bed.image('busybox').replace(':latest', `@${digest}`);
    expect(await box.ok(['pull', '-q', byDigest])).toBe(byDigest);
    expect(await box.ok(['run', '--rm', byDigest, 'echo', 'by digest'])).toBe('by digest');
  });

  test('chooses the platform of an index', async () => {
    await using box = new Sandbox();
    const other = hostArchitecture === 'arm64' ? 'amd64' : 'arm64';
    await box.ok(['pull', '-q', bed.image('platforms')]);
    expect(await box.inspect(bed.image('platforms'), '{{.Architecture}}')).toBe(hostArchitecture);
    await box.ok(['pull', '-q', '--platform', `linux/${other}`, bed.image('platforms')]);
    expect(await box.inspect(bed.image('platforms'), '{{.Architecture}} {{.Config.Labels.variant}}')).toBe(
      `${other} ${other}`,
    );
    const missing = await box.trun(['pull', '--platform', 'linux/s390x', bed.image('platforms')]);
    expect(missing.status).toBe(1);
    expect(missing.stderr).toMatch(/linux\/s390x/);
  });

  test('two pulls of one image at once both succeed', async () => {
    await using box = new Sandbox();
    const results = await Promise.all([1, 2, 3].map(() => box.trun(['pull', '-q', bed.image('features')])));
    expect(results.map(({ status }) => status)).toEqual([0, 0, 0]);
    expect((await box.ok('images -q')).split('\n')).toHaveLength(1);
  });

  test('basic auth from ~/.docker/config.json', async () => {
    await using box = new Sandbox();
    const storage = await storageCopy(box);
    const registry = await Registry.start({ storage, authentication: true });
    try {
      const reference = registry.reference('library/busybox:latest');
      const refused = await box.trun(['pull', reference]);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toMatch(/unauthorized|no basic auth credentials|authentication required/i);
      const auth = Buffer.from(`${account.name}:${account.password}`).toString('base64');
      await mkdir(join(box.home, '.docker'));
      const config = { auths: { [`localhost:${registry.port}`]: { auth } } };
      await writeFile(join(box.home, '.docker/config.json'), JSON.stringify(config));
      expect(await box.ok(['pull', '-q', reference])).toBe(reference);
    } finally {
      await registry[Symbol.asyncDispose]();
    }
  });

  test('a wrong digest is refused and leaves nothing; the mended image can be pulled', async () => {
    await using box = new Sandbox();
    const storage = await storageCopy(box);
    const registry = await Registry.start({ storage });
    try {
      // The one large blob is busybox's layer: change one byte of it.
      const blobs = join(storage, 'docker/registry/v2/blobs/sha256');
      const sizes = (await output('find', [blobs, '-name', 'data', '-printf', '%s %p\\n'])).split('\n');
      const layer = sizes.sort((a, b) => Number(b.split(' ')[0]) - Number(a.split(' ')[0]))[0]!.split(' ')[1]!;
      const good = await readFile(layer);
      const bad = Buffer.from(good);
      bad[bad.length >> 1]! ^= 1;
      await writeFile(layer, bad);
      const reference = registry.reference('library/busybox:latest');
      const { status, stderr } = await box.trun(['pull', reference]);
      expect(status).toBe(1);
      expect(stderr).toMatch(/digest|sha256/i);
      expect(stderr.trimEnd().split('\n')).toHaveLength(1);
      expect(await box.ok('images -q')).toBe('');
      await writeFile(layer, good);
      await box.ok(['pull', '-q', reference]);
      expect(await box.ok(['run', '--rm', reference, 'echo', 'mended'])).toBe('mended');
    } finally {
      await registry[Symbol.asyncDispose]();
    }
  });

  test.each([20, 80, 150, 250, 400])(
    'killed after %d ms it leaves the image or nothing, and the next one goes on',
    async (ms) => {
      await using box = new Sandbox();
      const running = box.start(['pull', bed.image('features')]);
      await new Promise((resolve) => setTimeout(resolve, ms));
      running.kill();
      await running.result;
      const images = await box.ok('images -q');
      expect(images.split('\n').filter((line) => line !== '').length).toBeLessThan(2);
      await box.ok(['pull', '-q', bed.image('features')]);
      const words = ['run', '--rm', '-u', '0', '--entrypoint', 'cat', bed.image('features'), '/data/replaced'];
      expect(await box.ok(words)).toBe('new');
    },
  );
});

describe('the store', () => {
  test('is an OCI image layout that skopeo reads', async () => {
    const found = await output('find', [bed.box.root, '-name', 'oci-layout', '-printf', '%h\\n']);
    const layout = found.split('\n')[0]!;
    const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8')) as { manifests: { digest: string }[] };
    expect(index.manifests.length).toBeGreaterThan(0);
    const blobs = await readdir(join(layout, 'blobs/sha256'));
    for (const { digest } of index.manifests) expect(blobs).toContain(digest.replace('sha256:', ''));
    // Every blob is what its name says.
    await output('sh', ['-c', 'for f in *; do echo "$f  $f"; done | sha256sum --quiet -c'], {
      cwd: join(layout, 'blobs/sha256'),
    });
  });
});

describe('images and inspect', () => {
  test('images prints a table, -q ids, --format what one asks for', async () => {
    const [header, ...rows] = (await bed.box.ok('images')).split('\n');
    expect(header).toMatch(/^REPOSITORY\s+TAG\s+IMAGE ID\s+CREATED\s+SIZE$/);
    const repository = bed.image('busybox').replace(':latest', '');
    const row = rows.find((line) => line.startsWith(repository));
    expect(row).toMatch(/\slatest\s+[0-9a-f]{12}\s+.*ago\s+[\d.]+\s?[kMG]?B$/);
    expect(await bed.box.ok('images -q')).toMatch(/^[0-9a-f]{12}$/m);
    expect(await bed.box.ok(['images', '--format', '{{.Repository}}:{{.Tag}}', repository])).toBe(bed.image('busybox'));
  });

  test("inspect prints Docker's fields", async () => {
    await bed.box.ok(['pull', '-q', bed.image('features')]);
    const [image] = JSON.parse(await bed.box.ok(['inspect', bed.image('features')])) as Record<string, unknown>[];
    expect(image).toMatchObject({
      Id: expect.stringMatching(/^sha256:[0-9a-f]{64}$/) as string,
      RepoTags: [bed.image('features')],
      RepoDigests: [expect.stringMatching(/@sha256:[0-9a-f]{64}$/) as string],
      Architecture: hostArchitecture,
      Os: 'linux',
      Config: {
        User: 'guest:staff',
        WorkingDir: '/work',
        Entrypoint: ['/entry'],
        Cmd: ['default', 'arguments'],
        Labels: { 'org.example.fixture': 'features' },
        ExposedPorts: { '8080/tcp': {} },
        StopSignal: 'SIGINT',
      },
      RootFS: { Type: 'layers' },
    });
    expect((image!['RootFS'] as { Layers: string[] }).Layers).toHaveLength(3);
    expect(await bed.box.inspect(bed.image('features'), '{{.Config.User}}')).toBe('guest:staff');
  });

  test('an unknown name is an error', async () => {
    const { status, stdout, stderr } = await bed.box.trun('inspect no-such-thing');
    expect(status).toBe(1);
    expect(stdout.trim()).toBe('[]');
    expect(stderr).toMatch(/no such (object|image|container).*no-such-thing/i);
  });
});

describe('rmi', () => {
  test('removes an image and says what it removed', async () => {
    await using box = new Sandbox();
    await box.ok(['pull', '-q', bed.image('busybox')]);
    const printed = await box.ok(['rmi', bed.image('busybox')]);
    expect(printed).toMatch(/^Untagged: .*library\/busybox:latest$/m);
    expect(printed).toMatch(/^Deleted: sha256:[0-9a-f]{64}$/m);
    expect(await box.ok('images -q')).toBe('');
  });

  test('refuses an image in use, takes it with -f or once unused', async () => {
    await using box = new Sandbox();
    await box.ok(['pull', '-q', bed.image('busybox')]);
    await box.ok(['run', '-d', '--name', 'user', bed.image('busybox'), 'sleep', '100']);
    const { status, stderr } = await box.trun(['rmi', bed.image('busybox')]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/in use|being used|is using/i);
    await box.ok('rm -f user');
    await box.ok(['rmi', bed.image('busybox')]);
  });

  test('leaves what another image needs', async () => {
    await using box = new Sandbox();
    await box.ok(['pull', '-q', bed.image('busybox')]);
    await box.ok(['pull', '-q', bed.image('features')]);
    await box.ok(['rmi', bed.image('busybox')]);
    expect(await box.ok(['run', '--rm', '-u', '0', '--entrypoint', 'echo', bed.image('features'), 'fine'])).toBe(
      'fine',
    );
  });

  test('an unknown image is an error', async () => {
    const { status, stderr } = await bed.box.trun('rmi no-such-image');
    expect(status).toBe(1);
    expect(stderr).toMatch(/no such image.*no-such-image/i);
  });
});

describe("an image's files", () => {
  test('whiteouts, opaque folders, links, names and modes are as the layers say', async () => {
    const script = `cd /data; for f in *; do printf '%s|' "$f"; done; echo; cat replaced; ls folder; cat symlink hardlink 'ünïcödé 名前'
      [ "$(stat -c %i kept)" = "$(stat -c %i hardlink)" ] && echo 'same inode'; stat -c '%a %h' setuid kept`;
    const words = ['run', '--rm', '-u', '0', '--entrypoint', 'sh', bed.image('features'), '-c', script];
    expect((await bed.box.ok(words)).split('\n')).toEqual([
      'folder|hardlink|kept|replaced|setuid|symlink|volume|ünïcödé 名前|',
      'new',
      'added',
      'kept',
      'kept',
      'unicode',
      'same inode',
      '4755 1',
      '644 2',
    ]);
  });
});

describe('--pull', () => {
  test('never takes what is there and fetches nothing', async () => {
    expect(await bed.box.ok(['run', '--rm', '--pull', 'never', bed.image('busybox'), 'echo', 'there'])).toBe('there');
    await using box = new Sandbox();
    const { status, stderr } = await box.trun(['run', '--rm', '--pull', 'never', bed.image('busybox'), 'true']);
    expect(status).toBe(125);
    expect(stderr).toMatch(/no such image/i);
  });

  test('missing (the default) pulls, with the progress on standard error', async () => {
    await using box = new Sandbox();
    const { status, stdout, stderr } = await box.trun(['run', '--rm', bed.image('busybox'), 'echo', 'pulled']);
    expect({ status, stdout }).toEqual({ status: 0, stdout: 'pulled\n' });
    expect(stderr).toMatch(/Unable to find image .* locally/);
    expect(stderr).toMatch(/Pull complete/);
  });

  test('always asks the registry', async () => {
    const { stderr, stdout } = await bed.box.trun([
      'run',
      '--rm',
      '--pull',
      'always',
      bed.image('busybox'),
      'echo',
      'x',
    ]);
    expect(stdout).toBe('x\n');
    expect(stderr).toMatch(/Image is up to date/);
  });
});
