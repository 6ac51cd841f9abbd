/** Logs of limited size: how much is kept, who reads on, whoever is killed. */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { waitFor } from '../helpers/wait-for.ts';

const bed = useSandbox();
let count = 0;

async function detached(script: string, ...options: readonly string[]): Promise<string> {
  const name = `log-${count++}`;
  onTestFinished(async () => {
    await bed.box.trun(['rm', '-f', name]);
  });
  await bed.box.ok(['run', '-d', '--name', name, ...options, 'host', 'sh', '-c', script]);
  return name;
}

async function logFiles(name: string): Promise<{ files: number; bytes: number }> {
  const folder = join(bed.box.root, 'containers', await bed.box.inspect(name, '{{.Id}}'));
  const streams = readdirSync(folder).filter((file) => /^(stdout|stderr).*\.log$/.test(file));
  return {
    files: streams.length / 2,
    bytes: streams.reduce((sum, file) => sum + statSync(join(folder, file)).size, 0),
  };
}

const limits = ['--log-opt', 'max-size=2k', '--log-opt', 'max-file=3'];

describe('max-size and max-file', () => {
  test('keep the end of the output; the agent may be killed meanwhile', async () => {
    const name = await detached(
      'i=0; while [ $i -lt 3000 ]; do i=$((i+1)); echo $i; [ $((i % 500)) = 0 ] && sleep 0.3; done; exit 4',
      ...limits,
    );
    for (let round = 0; round < 3; round++) {
      await waitFor('an agent', () => bed.box.servers('agent').length > 0);
      for (const { pid } of bed.box.servers('agent')) process.kill(pid, 'SIGKILL');
      await bed.box.ok(['exec', name, 'true']);
    }
    expect(await bed.box.ok(['wait', name])).toBe('4');
    const lines = (await bed.box.ok(['logs', name])).split('\n');
    expect(lines.at(-1)).toBe('3000');
    // The first may be a part of a line.
    const whole = lines.slice(1).map(Number);
    expect(whole).toEqual(whole.map((_, i) => 3000 - whole.length + 1 + i));
    expect(whole.length).toBeGreaterThan(500);
    const { files, bytes } = await logFiles(name);
    expect(files).toBeLessThanOrEqual(3);
    expect(bytes).toBeLessThanOrEqual(3 * 2048);
    expect(
      await bed.box.inspect(name, '{{.HostConfig.LogConfig.Type}} {{index .HostConfig.LogConfig.Config "max-size"}}'),
    ).toBe('json-file 2k');
  });

  test('logs -f and whoever is attached follow from file to file', async () => {
    const script = 'i=0; while [ $i -lt 1500 ]; do i=$((i+1)); echo $i; [ $((i % 100)) = 0 ] && sleep 0.1; done';
    const numbers = Array.from({ length: 1500 }, (_, i) => `${i + 1}\n`).join('');
    const attached = bed.box.start(['run', '--rm', ...limits, 'host', 'sh', '-c', script]);
    const name = await detached(`sleep 1; ${script}`, ...limits);
    const following = bed.box.start(['logs', '-f', name]);
    expect((await attached.result).stdout).toBe(numbers);
    expect((await following.result).stdout).toBe(numbers);
  });

  test('a second start goes on where the first ended', async () => {
    const name = await detached('head -c 5000 /dev/zero | tr "\\0" x; echo; echo end', ...limits);
    await bed.box.ok(['wait', name]);
    const { stdout } = await bed.box.trun(['start', '-a', name]);
    expect(stdout).toBe(`${'x'.repeat(5000)}\nend\n`);
  });
});

test('none: output for those who are attached, and no logs', async () => {
  const result = await bed.box.trun(['run', '--name', 'quiet', '--log-driver', 'none', 'host', 'echo', 'hello']);
  expect(result).toMatchObject({ status: 0, stdout: 'hello\n' });
  expect(await bed.box.trun('logs quiet')).toMatchObject({
    status: 1,
    stderr: 'trun: configured logging driver does not support reading\n',
  });
  await bed.box.ok('rm quiet');
});

test.each([
  [['--log-driver', 'splunk'], "no log driver named 'splunk' is registered"],
  [['--log-opt', 'colour=red'], "unknown log opt 'colour' for json-file log driver"],
  [['--log-opt', 'max-file=3'], 'max-file cannot be given without max-size'],
  [['--log-opt', 'max-size=none'], "invalid size: 'none'"],
])('%j is refused', async (options, message) => {
  const { status, stderr } = await bed.box.trun(['create', ...options, 'host', 'true']);
  expect(status).not.toBe(0);
  expect(stderr).toContain(message);
});
