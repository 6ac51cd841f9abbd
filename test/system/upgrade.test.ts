/** An agent that meets a client of another build makes way for one of that build; containers live on, output is whole. */
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { waitFor } from '../helpers/wait-for.ts';

const bed = useSandbox();

/** Asks the agent as a client of another build would; resolves with what it answers. */
async function askAsOther(): Promise<string> {
  const [agent] = bed.box.servers('agent');
  const command = readFileSync(`/proc/${agent!.pid}/cmdline`, 'utf8').replace(/\0$/, '').split('\0');
  // The agent gives itself a title; its program and arguments are those of any Node process of trun's.
  const root = bed.box.root;
  const script = join(import.meta.dirname, '../../dist/agent.cjs');
  const from = { build: 'another', command: [process.execPath, '--no-warnings', script, root] };
  expect(command[0]).toContain('trun-agent');
  const run = join(bed.box.runtime, readdirSync(bed.box.runtime)[0]!);
  const socket = connect(join(run, 'agent.sock'));
  socket.end(`${JSON.stringify({ method: 'status', params: {}, from })}\n`);
  let text = '';
  for await (const piece of socket) text += String(piece);
  return text;
}

test('a client of another build gets an agent of its own', async () => {
  onTestFinished(async () => {
    await bed.box.trun('rm -f upgraded waited');
  });
  const script = 'i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo $i; sleep 0.01; done; exit 6';
  await bed.box.ok(['run', '-d', '--name', 'upgraded', 'host', 'sh', '-c', script]);
  const waiting = bed.box.start(['run', '--name', 'waited', 'host', 'sh', '-c', 'sleep 2; exit 5']);
  await waitFor('the other container', async () => (await bed.box.ok(['ps', '-q'])).split('\n').length === 2);
  const before = bed.box.servers('agent').map(({ pid }) => pid);
  expect(await askAsOther()).toBe('{"handover":true}\n');
  await waitFor('another agent', () => {
    const now = bed.box.servers('agent').map(({ pid }) => pid);
    return now.length === 1 && !before.includes(now[0]!);
  });
  expect(await bed.box.ok(['exec', 'upgraded', 'echo', 'alive'])).toBe('alive');
  expect(await bed.box.ok(['wait', 'upgraded'])).toBe('6');
  expect(await bed.box.ok(['logs', 'upgraded'])).toBe(Array.from({ length: 300 }, (_, i) => i + 1).join('\n'));
  expect((await waiting.result).status).toBe(5);
});
