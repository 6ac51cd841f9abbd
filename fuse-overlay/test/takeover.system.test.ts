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
      writeFileSync(join(source, `d${directory}`, `f${file}`), `${directory} ${file} `.repeat(1 + file * 40));
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
