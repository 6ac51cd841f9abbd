import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { sealedMemfd } from '../sys/memfd.ts';
import { Label, LaunchPlan, Load32 } from './plan.ts';
import { RECORD, RECORD_KIND } from './plan-layout.ts';

const emulator = ['/usr/bin/qemu-aarch64-static', '/usr/bin/qemu-aarch64'].find((path) => existsSync(path));

interface Record {
  readonly kind: number;
  readonly value: number;
}

/** Runs a plan, encoded for arm64, by the arm64 binary under user-mode emulation. */
async function runOnArm64(plan: LaunchPlan): Promise<Record[]> {
  const fd = sealedMemfd('plan', plan.encode('arm64'));
  const child = spawn(emulator!, [join(import.meta.dirname, 'bin/monitor-arm64')], {
    stdio: ['ignore', 'ignore', 'inherit', fd, 'pipe'],
  });
  closeSync(fd);
  const [records] = await Promise.all([buffer(child.stdio[4] as Readable), once(child, 'exit')]);
  return Array.from({ length: records.length / RECORD.size }, (_, i) => ({
    kind: records.readUInt32LE(i * RECORD.size + RECORD.kind),
    value: Number(records.readBigInt64LE(i * RECORD.size + RECORD.value)),
  }));
}

describe.skipIf(emulator === undefined)('the monitor for arm64 (needs qemu-user-static)', () => {
  test('runs system calls by its own numbers, passes results on, and reports errors', async () => {
    const plan = new LaunchPlan();
    const ends = plan.room(8, 'pipe');
    plan.call('pipe2', [ends, 0], 'make a pipe');
    plan.call('write', [new Load32(ends, 4), 'abc', 3], 'write');
    plan.pseudo('note', [plan.call('read', [new Load32(ends, 0), plan.room(8, 'bytes'), 8], 'read')], 'report');
    plan.call('openat', [-100, '/nowhere', 0, 0], 'open');
    expect(await runOnArm64(plan)).toEqual([
      { kind: RECORD_KIND.note, value: 3 },
      { kind: RECORD_KIND.error, value: 2 },
    ]);
  });

  // qemu-user knows no CLONE_PARENT, so the child is one of the monitor's own.
  test('clones, jumps and reaps', async () => {
    const plan = new LaunchPlan();
    const program = new Label();
    plan.fork('clone', [17, 0, 0, 0, 0], program, 'clone');
    plan.pseudo('reap', [0], 'wait');
    plan.place(program);
    plan.call('exit_group', [5], 'leave');
    expect(await runOnArm64(plan)).toEqual([{ kind: RECORD_KIND.exit, value: 5 << 8 }]);
  });
});
