import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { Label, LaunchPlan, Load32, Slot } from './plan.ts';
import { STATUS_FD } from './plan-layout.ts';
import { LaunchError } from './record.ts';
import { startMonitor } from './start.ts';

async function notes(plan: LaunchPlan): Promise<number[]> {
  const monitor = startMonitor(plan);
  const exited = once(monitor.child, 'exit');
  const values = [];
  for (let record; (record = await monitor.next()) !== undefined;) values.push(record.value);
  await exited;
  return values;
}

describe('plans', () => {
  test('run system calls in order, results feed later arguments', async () => {
    const plan = new LaunchPlan();
    const fd = plan.call('openat', [-100, '/etc/hostname', 0, 0], 'open /etc/hostname');
    const copy = plan.call('dup3', [fd, 77, 0], 'duplicate');
    plan.pseudo('note', [copy], 'report');
    expect(await notes(plan)).toEqual([77]);
  });

  test('name the action and the errno of what fails', async () => {
    const plan = new LaunchPlan();
    plan.call('chdir', ['/nowhere'], 'enter /nowhere');
    await expect(notes(plan)).rejects.toThrow(new LaunchError('enter /nowhere', 2));
  });

  test('go on where told to, and jump', async () => {
    const plan = new LaunchPlan();
    const [fallback, end] = [new Label(), new Label()];
    plan.call('chdir', ['/nowhere'], 'enter', { ignore: true });
    plan.call('chdir', ['/nowhere'], 'enter', { otherwise: fallback });
    plan.pseudo('note', [1], 'report');
    plan.jump(end);
    plan.place(fallback);
    plan.pseudo('note', [2], 'report');
    plan.place(end);
    plan.pseudo('note', [3], 'report');
    expect(await notes(plan)).toEqual([2, 3]);
  });

  test('clone into a child, wait for it and report its status; pointers in structures are relocated', async () => {
    const plan = new LaunchPlan();
    const child = new Label();
    const joiner = new Label();
    const pid = plan.fork('clone', [17, 0, 0, 0, 0], joiner, 'clone');
    plan.pseudo('reap', [pid], 'wait');
    plan.place(joiner);
    plan.fork('clone', [17 | 0x8000, 0, 0, 0, 0], child, 'clone beside the parent');
    plan.call('exit_group', [0], 'leave');
    plan.place(child);
    plan.pseudo(
      'exec',
      [
        plan.strings(['/nowhere/sh', '/bin/sh'], 'paths'),
        plan.strings(['sh', '-c', 'exit $A'], 'argv'),
        plan.strings(['A=42'], 'envp'),
      ],
      'execute sh',
    );
    expect(await notes(plan)).toEqual([42 << 8]);
  });

  test('load fds that a system call stored', async () => {
    const plan = new LaunchPlan();
    const pair = plan.room(8, 'pair');
    plan.call('pipe2', [pair, 0], 'make a pipe');
    plan.call('write', [new Load32(pair, 4), Buffer.from('x'), 1], 'write');
    const got = plan.call('read', [new Load32(pair, 0), plan.room(1, 'byte'), 1], 'read', { nonzero: true });
    plan.pseudo('note', [got], 'report');
    plan.pseudo('note', [new Load32(new Slot(Buffer.from([0xff, 0xff, 0xff, 0xff]), 'minus one'), 0)], 'report');
    expect(await notes(plan)).toEqual([1, -1]);
  });

  test('wait for the word to go, and end with the process that should give it', async () => {
    const plan = new LaunchPlan();
    plan.pseudo('note', [1], 'report');
    plan.call('read', [STATUS_FD, plan.room(1, 'byte'), 1], 'wait for the network', { nonzero: true });
    plan.pseudo('note', [2], 'report');
    const monitor = startMonitor(plan);
    expect(await monitor.next()).toEqual({ kind: 'note', value: 1 });
    monitor.go();
    expect(await monitor.next()).toEqual({ kind: 'note', value: 2 });
    expect(await monitor.next()).toBeUndefined();
  });

  test('refuse strings that the kernel would see otherwise', () => {
    expect(() => new LaunchPlan().string('a\0b')).toThrow('NUL');
  });

  test('describe themselves', () => {
    const plan = new LaunchPlan();
    plan.call('mount', ['proc', '/proc', 'proc', 14, 0], 'mount proc at /proc', { ignore: true });
    expect(plan.describe()).toEqual(['  0 mount("proc", "/proc", "proc", 14, 0) or go on']);
  });
});
