import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { LaunchPlan } from '../monitor/plan.ts';
import { startMonitorFor } from '../monitor/start.ts';
import { makeSocketPair } from '../sys/pipe.ts';
import type { LaunchInput } from './launch-input.ts';
import { appendMonitorStage } from './monitor-stage.ts';

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'trun-stage-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Runs the stage, whose joiner does nothing, until the monitor ends; returns its exit code. */
async function runStage(socketFolder: string, isAgentGone: boolean): Promise<number | null> {
  const supervision = {
    socketFolder,
    socketName: 'id',
    exitPath: join(socketFolder, 'exit'),
    exitTemporary: join(socketFolder, 'exit.tmp'),
    agentLock: join(socketFolder, 'agent.lock'),
    agentArgv: ['/bin/false'],
    agentEnv: [],
  };
  const plan = new LaunchPlan();
  const input = { spec: { ociVersion: '1.2.0' }, network: { kind: 'new' }, openStdin: false, supervision };
  plan.place(appendMonitorStage(plan, input as unknown as LaunchInput));
  plan.call('exit_group', [1], 'fail');
  const [ours, theirs] = makeSocketPair();
  if (isAgentGone) closeSync(ours);
  const child = startMonitorFor(theirs, plan, ['ignore', 'ignore', 'ignore']);
  closeSync(theirs);
  const [code] = (await once(child, 'exit')) as [number | null];
  if (!isAgentGone) closeSync(ours);
  return code;
}

test('a monitor whose agent is gone leaves, and lets the name be, which another may have by now', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'id'), 'of another monitor');
  expect(await runStage(folder, true)).toBe(127);
  expect(readdirSync(folder)).toEqual(['id']);
});

test('with its agent there it listens, and goes on to the joiner', async () => {
  const folder = temporaryFolder();
  // The joiner fails: the monitor ends with it.
  expect(await runStage(folder, false)).toBe(127);
  expect(existsSync(join(folder, 'id'))).toBe(true);
});
