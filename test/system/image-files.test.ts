/**
 * `trun save`, `load`, `history`, `images --tree`, `image prune` and `verify`, `system df`, with skopeo and podman as witnesses.
 */
import { globSync, readlinkSync } from 'node:fs';
import { chmod, mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeContext } from '../helpers/build-context.ts';
import { output, run } from '../helpers/command.ts';
import { processesOf } from '../helpers/processes.ts';
import { Registry } from '../helpers/registry.ts';
import { Sandbox } from '../helpers/sandbox.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { waitFor } from '../helpers/wait-for.ts';

const bed = useSandbox({ images: ['busybox'] });

/** An image with a layer made here. */
async function commitImage(box: Sandbox, name: string, script: string): Promise<string> {
  await box.ok(['run', '--name', 'maker', bed.image('busybox'), 'sh', '-c', script]);
  const id = await box.ok(['commit', '-m', 'a message', 'maker', name]);
  await box.ok('rm maker');
  return id;
}

/** Bytes of all files of the image store that images consist of. */
async function storeBytes(box: Sandbox): Promise<number> {
  const folders = ['blobs', 'files', 'layers', 'trees', 'partial'].map((name) => join(box.root, 'images', name));
  const sizes = (await output('find', [...folders, '-type', 'f', '-printf', '%s\\n'])).split('\n').filter(Boolean);
  return sizes.reduce((sum, size) => sum + Number(size), 0);
}

/** `SIZE RECLAIMABLE` of the images, in bytes. */
async function dfBytes(box: Sandbox): Promise<number[]> {
  const rows = await box.ok(['system', 'df', '--format', '{{.Type}} {{.SizeBytes}} {{.ReclaimableBytes}}']);
  return /^Images ([0-9]+) ([0-9]+)$/m.exec(rows)!.slice(1).map(Number);
}

test.each(['docker-archive', 'oci-archive'])(
  '%s: skopeo reads what save writes, load reads what skopeo writes',
  async (format) => {
    const { box } = bed;
    const id = await commitImage(box, 'saved:1', 'echo saved > /file; rm /bin/cat; ln /file /link');
    const archive = join(box.folder, `${format}.tar`);
    await box.ok(['save', '--format', format, '-o', archive, 'saved:1', bed.image('busybox')]);
    const source =
      format === 'oci-archive'
        ? `oci-archive:${archive}:docker.io/library/saved:1`
        : `docker-archive:${archive}:saved:1`;
    const again = join(box.folder, `${format}-again.tar`);
    await output('skopeo', ['--insecure-policy', 'copy', '--quiet', source, `${format}:${again}:example.com/again:1`], {
      env: { ...process.env, TMPDIR: box.folder },
    });
    await using other = new Sandbox();
    const bytes = await readFile(archive);
    const loaded = await other.trun(['load'], { input: bytes });
    expect(loaded.stdout).toBe(`Loaded image: saved:1\nLoaded image: ${bed.image('busybox')}\n`);
    expect(await other.ok(['load', '-i', again])).toBe('Loaded image: example.com/again:1');
    for (const name of ['saved:1', 'example.com/again:1']) {
      expect(await other.inspect(name, '{{.Id}}')).toBe(id);
      expect(
        await other.ok(['run', '--rm', name, 'sh', '-c', 'read x < /link; echo $x; ls /bin/cat 2>&1; true']),
      ).toMatch(/^saved\nls: /);
    }
    await box.ok(['rmi', 'saved:1']);
  },
);

test('a repository without a tag is saved with all its tags', async () => {
  const { box } = bed;
  for (const tag of ['one', 'two']) await box.ok(['tag', bed.image('busybox'), `many:${tag}`]);
  const archive = join(box.folder, 'many.tar');
  await box.ok(['save', '-o', archive, 'many']);
  await using other = new Sandbox();
  expect((await other.ok(['load', '-i', archive])).split('\n').sort()).toEqual([
    'Loaded image: many:one',
    'Loaded image: many:two',
  ]);
  await box.ok('rmi many:one many:two');
  expect((await box.trun(['save', '-o', archive, 'many'])).stderr).toContain('No such image: many:latest');
});

test('podman loads what save writes', async ({ skip }) => {
  if ((await run('podman', ['--version'])).status !== 0) return skip('podman is not installed');
  const { box } = bed;
  await commitImage(box, 'forpodman:1', 'echo hello > /file');
  const archive = join(box.folder, 'podman.tar');
  await box.ok(['save', '-o', archive, 'forpodman:1']);
  const podman = [
    '--root',
    join(box.folder, 'podman'),
    '--runroot',
    join(box.folder, 'podman-run'),
    '--storage-driver',
    'vfs',
  ];
  const env = { ...process.env, XDG_RUNTIME_DIR: box.runtime, HOME: box.home, TMPDIR: box.folder };
  const result = await run('podman', [...podman, '--events-backend', 'file', 'load', '-q', '-i', archive], { env });
  if (/cgroup|newuidmap|user namespace/.test(result.stderr)) return skip(`podman does not work here: ${result.stderr}`);
  expect(result.stderr + result.stdout).toMatch(/Loaded image/);
  await output('podman', [...podman, '--events-backend', 'file', 'unshare', 'rm', '-rf', join(box.folder, 'podman')], {
    env,
  });
});

test('history and the tree', async () => {
  const { box } = bed;
  const id = await commitImage(box, 'stepped:1', 'dd if=/dev/zero of=/file bs=1000 count=5');
  const lines = (
    await box.ok(['history', '--format', '{{.ID}}|{{.CreatedBy}}|{{.Size}}|{{.Comment}}', 'stepped:1'])
  ).split('\n');
  expect(lines[0]).toBe(`${id.slice(7, 19)}|sh -c dd if=/dev/zero of=/file bs=1000 count…|5kB|a message`);
  expect(lines[1]).toMatch(/^<missing>\|/);
  expect(await box.ok(['history', '-q', '--no-trunc', 'stepped:1'])).toBe(`${id}\n<missing>`);
  expect(await box.ok(['history', '-H=false', '--format', '{{.Size}}', 'stepped:1'])).toMatch(/^5000\n/);
  const tree = await box.ok(['images', '--tree', 'stepped']);
  expect(tree).toMatch(
    new RegExp(`^stepped:1 +${id.slice(7, 19)} .*\\n└─ linux/.*\\n {3}├─ layer .*\\n {3}└─ layer .* 5kB`, 'm'),
  );
  await box.ok(['rmi', 'stepped:1']);
});

test('df is true to the byte, and prune gives back what it says', async () => {
  await using box = new Sandbox();
  await box.ok(['pull', '-q', bed.image('busybox')]);
  await box.ok(['pull', '-q', bed.image('features')]);
  await box.ok(['create', '--name', 'user', bed.image('busybox')]);
  const before = await storeBytes(box);
  const [size, reclaimable] = await dfBytes(box);
  expect(size).toBe(before);
  const verbose = await box.ok(['system', 'df', '-v']);
  expect(verbose).toMatch(/SHARED SIZE +UNIQUE SIZE/);
  expect(await box.ok(['image', 'prune', '-f'])).toBe('Total reclaimed space: 0B');
  const pruned = await box.ok(['image', 'prune', '-a', '-f']);
  expect(pruned).toMatch(/^deleted: sha256:/m);
  expect(before - (await storeBytes(box))).toBe(reclaimable);
  expect(await dfBytes(box)).toEqual([before - reclaimable!, 0]);
  expect(await box.ok(['images', '-q'])).not.toContain('\n');
  expect((await box.trun(['image', 'prune', '-a'], { input: 'n\n' })).stdout).not.toContain('reclaimed');
});

test('verify finds damage and mends it from the blob, or from the registry', async () => {
  await using box = new Sandbox();
  await box.ok(['pull', '-q', bed.image('busybox')]);
  expect(await box.ok(['image', 'verify'])).toBe(`${bed.image('busybox')}: ok`);
  const files = join(box.root, 'images/files');
  const folders = await readdir(files);
  const path = join(files, folders[0]!, (await readdir(join(files, folders[0]!)))[0]!);
  await chmod(path, 0o644);
  await writeFile(path, 'damaged');
  const dry = await box.trun(['image', 'verify', '--dry-run']);
  expect([dry.status, dry.stdout]).toEqual([
    1,
    expect.stringMatching(/content .* is damaged[^]*: damaged$/m) as string,
  ]);
  expect(await box.ok(['image', 'verify'])).toMatch(/: mended$/m);
  const blobs = join(box.root, 'images/blobs/sha256');
  for (const name of await readdir(blobs)) {
    if ((await readFile(join(blobs, name))).readUInt16BE(0) === 0x1f8b) await writeFile(join(blobs, name), 'damaged');
  }
  await rm(path, { force: true });
  expect(await box.ok(['image', 'verify'])).toMatch(/: mended$/m);
  expect(await box.ok(['image', 'verify', '-q'])).toBe('');
  expect(await box.ok(['run', '--rm', bed.image('busybox'), 'echo', 'works'])).toBe('works');
});

test('a shared store is used where it is, and never written to', async () => {
  await using site = new Sandbox();
  await using box = new Sandbox();
  const image = bed.image('busybox');
  await using registry = await Registry.start();
  const target = registry.reference('shared:1');
  await site.ok(['pull', '-q', image]);
  await site.ok(['tag', image, target]);
  await box.ok('images');
  await writeFile(join(box.root, 'config.json'), JSON.stringify({ 'additional-stores': [site.root, '/nowhere'] }));
  const before = await storeBytes(site);
  await output('chmod', ['-R', 'a-w', join(site.root, 'images')]);
  try {
    const listed = await box.ok('images --format {{.Repository}}:{{.Tag}}');
    expect(listed.split('\n').sort()).toEqual([image, target].sort());
    expect(await box.ok(['run', '--rm', image, 'echo', 'shared'])).toBe('shared');
    expect(await box.ok(['run', '--rm', '--storage-opt', 'writable=fuse', image, 'cat', '/etc/passwd'])).toContain(
      'root',
    );
    expect(await readdir(join(box.root, 'images/files'))).toEqual([]);
    expect((await box.ok(['history', '-q', image])).length).toBeGreaterThan(10);
    const refused = await box.trun(['rmi', image]);
    expect([refused.status, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/shared store .*, which is only read/) as string,
    ]);
    expect(await dfBytes(box)).toEqual([0, 0]);
    await box.ok(['save', '-o', join(box.folder, 'shared.tar'), image]);
    await box.ok(['tag', image, 'own:1']);
    expect(await box.ok(['run', '--rm', 'own:1', 'echo', 'adopted'])).toBe('adopted');
    await box.ok(['run', '--name', 'cc', image, 'touch', '/new']);
    expect(await box.ok(['run', '--rm', await box.ok(['commit', 'cc']), 'ls', '/new'])).toBe('/new');
    expect(await box.ok(['image', 'verify', 'own:1'])).toBe('own:1: ok');
    // What a push and a build need of it is copied over, too.
    await box.ok('rm cc');
    await box.ok('image prune -a -f');
    const context = makeContext(box.folder, { Dockerfile: `FROM ${image}\nRUN echo built > /built` });
    await box.ok(['build', '-q', '-t', 'built:1', context]);
    expect(await box.ok('run --rm built:1 cat /built')).toBe('built');
    await box.ok(['push', '-q', target]);
    expect(await output('skopeo', ['inspect', '--tls-verify=false', `docker://${target}`])).toContain('"Layers"');
  } finally {
    await output('chmod', ['-R', 'u+w', join(site.root, 'images')]);
  }
  expect(await storeBytes(site)).toBe(before);
});

test('bad input', async () => {
  const { box } = bed;
  await mkdir(join(box.folder, 'a-folder'));
  const refused = [
    ['save', 'nothing:1'],
    ['save', '--format', 'zip', bed.image('busybox')],
    ['save', '-o', join(box.folder, 'a-folder'), bed.image('busybox')],
    ['save', '-o', '/proc/nowhere/x.tar', bed.image('busybox')],
    ['load', '-i', '/nowhere.tar'],
    ['load', '-i', join(box.folder, 'a-folder')],
    ['history', 'nothing:1'],
    ['image', 'verify', 'nothing:1'],
  ];
  for (const words of refused) {
    const { status, stderr } = await box.trun(words);
    expect([words.join(' '), status, stderr.trimEnd().split('\n').length]).toEqual([words.join(' '), 1, 1]);
  }
  expect((await box.trun(['load'], { input: 'nonsense'.repeat(100) })).stderr).toMatch(
    /^trun: Cannot read standard input: /,
  );
});

function mountNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`);
  } catch {
    return undefined;
  }
}

test('what is read first of an image is remembered for its next mount, and goes with it', async () => {
  await using box = new Sandbox();
  await box.ok(['pull', '-q', bed.image('busybox')]);
  await box.ok(['run', '--rm', bed.image('busybox'), 'true']);
  // A mount ends with the namespace that it is in, and that with the last process in it.
  const [record] = globSync(`${box.folder}/**/mounts.d/*.json`);
  const { keeper } = JSON.parse(await readFile(record!, 'utf8')) as { keeper: { pid: number } };
  const namespace = readlinkSync(`/proc/${keeper.pid}/ns/mnt`);
  const residents = processesOf(box.folder).filter(({ pid }) => mountNamespace(pid) === namespace);
  for (const { pid } of residents) process.kill(pid, 'SIGKILL');
  const orders = join(box.root, 'images/orders');
  const [order] = await waitFor('the order of reading', async () => {
    const names = await readdir(orders);
    return names.length > 0 && names;
  });
  expect(await readdir(join(box.root, 'images/trees'))).toContain(order);
  expect((await readFile(join(orders, order!))).length).toBeGreaterThanOrEqual(8);
  await box.ok(['rmi', bed.image('busybox')]);
  expect(await readdir(orders)).toEqual([]);
});
