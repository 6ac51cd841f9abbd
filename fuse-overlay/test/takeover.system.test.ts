/** A server is killed with -9 while programs read; another one takes over, and no reader notices. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { packDirectory } from './support/pack-directory.ts';
import { Sandbox } from './support/sandbox.ts';

const sandbox = new Sandbox();
const source = join(sandbox.directory, 'source');
const [major, minor] = release().split('.').map(Number) as [number, number];
const hasResend = major > 6 || (major === 6 && minor >= 9);

beforeAll(async () => {
  for (let directory = 0; directory < 60; directory++) {
    mkdirSync(join(source, `d${directory}`), { recursive: true });
    for (let file = 0; file < 40; file++) {
      const path = `d${directory}/f${file}`;
      writeFileSync(join(source, path), `${path} `.repeat(1 + file * 40));
    }
  }
  const packed = packDirectory(source, join(sandbox.directory, 'packed'));
  await sandbox.start('--tree', packed.index, '--files', packed.files, '--owner');
});

afterAll(async () => {
  await sandbox.end();
});

test.skipIf(!hasResend)('six readers get every byte over five kills (Linux 6.9)', async () => {
  const sums = 'find . -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum';
  const expected = execFileSync('sh', ['-c', sums], { cwd: source, encoding: 'utf8' });
  // Dropping the kernel's caches takes privileges: each reader gets something to ask the server by its own order of files.
  const readers = Array.from({ length: 6 }, (_, index) => {
    const order = index % 2 === 0 ? 'sort -z' : 'sort -z -r';
    const script = `cd "$M" && for n in 1 2 3; do find . -type f -print0 | ${order} | xargs -0 cat > /dev/null || exit 1; done; ${sums}`;
    const child = sandbox.spawn(script, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (output += text));
    let errors = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (errors += text));
    return once(child, 'close').then(([code]) => ({ code: code as number, output, errors }));
  });
  for (let kill = 1; kill <= 5; kill++) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    const servers = await sandbox.servers(kill);
    process.kill(servers.at(-1)!, 'SIGKILL');
  }
  for (const reader of await Promise.all(readers)) expect(reader).toEqual({ code: 0, output: expected, errors: '' });
  expect((await sandbox.servers(6)).length).toBe(6);
  expect(sandbox.errors).toBe('');
});

const kills = Number(process.env['TAKEOVER_KILLS'] ?? 20);

test.skipIf(!hasResend)(`no read fails over ${kills} kills at random moments (Linux 6.9)`, async () => {
  const script = join(import.meta.dirname, 'support/read-forever.ts');
  const readers = [1, 2].map(() => {
    const child = sandbox.spawn(`exec '${process.execPath}' '${script}' "$M"`, { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (output += text));
    return { child, ended: once(child, 'close').then(([code]) => ({ code: code as number, output })) };
  });
  const before = (await sandbox.servers(1)).length;
  for (let kill = 0; kill < kills; kill++) {
    const servers = await sandbox.servers(before + kill);
    await new Promise((resolve) => setTimeout(resolve, 20 + Math.random() * 100));
    process.kill(servers.at(-1)!, 'SIGKILL');
  }
  await sandbox.servers(before + kills);
  for (const { child, ended } of readers) {
    child.stdin!.end();
    const { code, output } = await ended;
    expect(output).toMatch(/^\d+\n$/);
    expect(code).toBe(0);
    expect(Number(output)).toBeGreaterThan(kills);
  }
  expect(sandbox.errors).toBe('');
});
