/**
 * `trun push`, `login`, `logout`, `search` and `pull -a`, against a real registry.
 */
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { output } from '../helpers/command.ts';
import { Registry, account } from '../helpers/registry.ts';
import { Sandbox } from '../helpers/sandbox.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';

const bed = useSandbox({ images: ['busybox'] });

interface Inspected {
  readonly Digest: string;
  readonly Layers: readonly string[];
}

async function skopeoInspect(reference: string): Promise<Inspected> {
  const options = ['inspect', '--tls-verify=false', '--creds', `${account.name}:${account.password}`];
  return JSON.parse(await output('skopeo', [...options, `docker://${reference}`])) as Inspected;
}

describe('push', () => {
  test('a pulled image keeps its digest, and what is there is not sent again', async () => {
    await using registry = await Registry.start();
    const { box } = bed;
    const target = registry.reference('copied/busybox:v1');
    await box.ok(['tag', bed.image('busybox'), target]);
    const printed = await box.ok(['push', target]);
    const digest = /^v1: digest: (sha256:[0-9a-f]{64}) size: [0-9]+$/m.exec(printed)?.[1];
    expect(printed).toContain(`The push refers to repository [${registry.reference('copied/busybox')}]`);
    expect(printed).toMatch(/^[0-9a-f]{12}: Pushed$/m);
    expect((await skopeoInspect(target)).Digest).toBe(digest);
    expect((await skopeoInspect(bed.image('busybox'))).Digest).toBe(digest);
    expect(await box.ok(['push', target])).toMatch(/^[0-9a-f]{12}: Layer already exists$/m);
    const other = registry.reference('mounted:v2');
    await box.ok(['tag', target, other]);
    expect(await box.ok(['push', other])).toMatch(/^[0-9a-f]{12}: Mounted from copied\/busybox$/m);
    expect(await box.ok(['images', '--digests', '--format', '{{.Digest}}', registry.reference('mounted')])).toBe(
      digest,
    );
    await box.ok(['rmi', target, other]);
  });

  test('a committed image runs where it is pulled, and skopeo reads it', async () => {
    await using registry = await Registry.start();
    const { box } = bed;
    await box.ok(['run', '--name', 'maker', bed.image('busybox'), 'sh', '-c', 'echo pushed > /pushed; rm /bin/cat']);
    const target = registry.reference('made:1');
    await box.ok(['commit', 'maker', target]);
    expect(await box.ok(['push', '-q', target])).toBe(target);
    const { Layers: layers, Digest: digest } = await skopeoInspect(target);
    expect(layers).toHaveLength(2);
    await using other = new Sandbox();
    expect(await other.ok(['pull', target])).toContain(`Digest: ${digest}`);
    expect(
      await other.ok(['run', '--rm', target, 'sh', '-c', 'read x < /pushed; echo $x; ls /bin/cat 2>&1; true']),
    ).toMatch(/^pushed\nls: .*No such file/);
    await box.ok('rm maker');
  });

  test('-a pushes all tags, and pull -a gets them', async () => {
    await using registry = await Registry.start();
    const { box } = bed;
    const repository = registry.reference('many');
    for (const tag of ['one', 'two']) await box.ok(['tag', bed.image('busybox'), `${repository}:${tag}`]);
    const printed = await box.ok(['push', '-a', repository]);
    expect(printed.match(/^(one|two): digest: /gm)).toHaveLength(2);
    await using other = new Sandbox();
    await other.ok(['pull', '-a', repository]);
    expect((await other.ok(['images', '--format', '{{.Tag}}', repository])).split('\n').sort()).toEqual(['one', 'two']);
    expect(await other.ok(['search', '--format', '{{.Name}}', `localhost:${registry.port}/man`])).toBe(repository);
    expect((await box.trun(['push', '-a', `${repository}:one`])).stderr).toContain("tag can't be used");
  });

  test('what is not there, and where nobody listens', async () => {
    const missing = await bed.box.trun(['push', 'localhost:1/none:1']);
    expect([missing.status, missing.stderr.trim()]).toEqual([
      1,
      expect.stringContaining('No such image: localhost:1/none:1') as string,
    ]);
    await bed.box.ok(['tag', bed.image('busybox'), 'localhost:1/some:1']);
    const refused = await bed.box.trun(['push', 'localhost:1/some:1']);
    expect([refused.status, refused.stderr]).toEqual([1, expect.stringMatching(/connection refused/) as string]);
  });
});

describe('login', () => {
  test('keeps what the registry takes, for push and pull, until logout', async () => {
    await using registry = await Registry.start({ authentication: true });
    await using box = new Sandbox();
    const server = `localhost:${registry.port}`;
    const target = registry.reference('private/busybox:1');
    await box.ok(['pull', '-q', bed.image('busybox')]);
    await box.ok(['tag', bed.image('busybox'), target]);
    expect((await box.trun(['push', target])).stderr).toMatch(/no basic auth credentials|unauthorized/);
    const wrong = await box.trun(['login', '-u', account.name, '--password-stdin', server], { input: 'wrong\n' });
    expect([wrong.status, wrong.stderr]).toEqual([
      1,
      expect.stringMatching(/unauthorized|authentication required/i) as string,
    ]);
    const right = await box.trun(['login', '-u', account.name, '--password-stdin', server], {
      input: `${account.password}\n`,
    });
    expect(right.stdout).toContain('Login Succeeded');
    const file = join(box.home, '.docker/config.json');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await box.ok(['push', target]);
    await box.ok(['pull', target]);
    expect(await box.ok(['logout', server])).toBe(`Removing login credentials for ${server}`);
    expect(await readFile(file, 'utf8')).not.toContain(server);
    expect(await box.ok(['logout', server])).toBe(`Not logged in to ${server}`);
    expect((await box.trun(['push', target])).status).toBe(1);
  });

  test('a credential helper keeps the password out of the file', async () => {
    await using registry = await Registry.start({ authentication: true });
    await using box = new Sandbox();
    const server = `localhost:${registry.port}`;
    const bin = join(box.folder, 'bin');
    await mkdir(bin);
    const kept = join(box.folder, 'kept');
    const script = `#!/bin/sh\ncase $1 in store) cat > ${kept};; get) sed 's/ServerURL/Server/' ${kept} || exit 1;; erase) rm -f ${kept};; esac\n`;
    await writeFile(join(bin, 'docker-credential-test'), script);
    await chmod(join(bin, 'docker-credential-test'), 0o755);
    await mkdir(join(box.home, '.docker'));
    await writeFile(join(box.home, '.docker/config.json'), '{"credsStore": "test", "other": 1}');
    const env = { PATH: `${bin}:${process.env['PATH']}` };
    const login = ['login', '-u', account.name, '-p', account.password, server];
    const { stdout, stderr } = await box.trun(login, { env });
    expect(stdout).toContain('Login Succeeded');
    expect(stderr).toContain('--password-stdin');
    const config = await readFile(join(box.home, '.docker/config.json'), 'utf8');
    expect(config).toContain('"other": 1');
    expect(config).not.toContain('auth"');
    expect(await readFile(kept, 'utf8')).toContain(account.password);
    await box.ok(['pull', '-q', bed.image('busybox')]);
    await box.ok(['tag', bed.image('busybox'), registry.reference('x:1')]);
    expect((await box.trun(['push', registry.reference('x:1')], { env })).status).toBe(0);
    await box.trun(['logout', server], { env });
    await expect(readFile(kept)).rejects.toThrow();
  });

  test('bad input', async () => {
    for (const words of [
      ['login', '--password-stdin'],
      ['login', '-u', 'x'],
      ['login', 'a b'],
      ['search', '--limit', '0', 'x'],
    ]) {
      const { status, stderr } = await bed.box.trun(words, { input: '' });
      expect([status, stderr.trimEnd().split('\n').length]).toEqual([1, 1]);
    }
  });
});
