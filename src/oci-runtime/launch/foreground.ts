/** `run` and `exec` in the foreground: the caller's signals and terminal are the program's. */
import { Socket } from 'node:net';
import { ReadStream } from 'node:tty';
import type { PlanProcess } from '../../monitor/spawn-plan.ts';
import type { LaunchPlan } from '../../monitor/plan.ts';
import { RECORD } from '../../monitor/plan-layout.ts';
import { decodeRecord } from '../../monitor/record.ts';
import { killQuietly } from '../kill-quietly.ts';
import { setWindowSize } from '../../sys/window-size.ts';

const FORWARDED = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2', 'SIGCONT', 'SIGALRM'] as const;

/** Waits for the program `pid`, whose waiter reports on the plan's status socket. Returns the exit status as a shell says it. */
export async function attend(
  program: PlanProcess,
  pid: number,
  master: number | undefined,
  plan: Pick<LaunchPlan, 'action'>,
): Promise<number> {
  for (const signal of FORWARDED) process.on(signal, () => killQuietly(pid, signal));
  const relay = master === undefined ? undefined : relayTerminal(master);
  try {
    const status = await exitOf(program, plan);
    await relay?.drained();
    return status & 0x7f ? 128 + (status & 0x7f) : (status >> 8) & 0xff;
  } finally {
    relay?.stop();
  }
}

/** Rejects with a LaunchError where the program could not be started. */
function exitOf(program: PlanProcess, plan: Pick<LaunchPlan, 'action'>): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const socket = new Socket({ fd: program.status, readable: true, writable: false });
  let pending = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    pending = Buffer.concat([pending, chunk]);
    for (; pending.length >= RECORD.size; pending = pending.subarray(RECORD.size)) {
      try {
        const { kind, value } = decodeRecord(plan, pending);
        if (kind === 'exit') resolve(value);
      } catch (error) {
        reject(error);
      }
    }
  });
  socket.on('error', reject);
  socket.on('close', () => reject(new Error('the container could not be watched to its end')));
  return promise;
}

/** Moves bytes both ways until the terminal's other side is closed. */
function relayTerminal(master: number): { drained: () => Promise<void>; stop: () => void } {
  const terminal = new ReadStream(master);
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  function resize(): void {
    if (process.stdout.isTTY) setWindowSize(master, process.stdout.rows, process.stdout.columns);
  }
  resize();
  process.on('SIGWINCH', resize);
  if (process.stdin.isTTY) process.stdin.setRawMode(true);
  process.stdin.on('data', (chunk: Buffer) => terminal.write(chunk));
  terminal.on('data', (chunk: Buffer) => process.stdout.write(chunk));
  // EIO: the last process has closed its side.
  terminal.on('error', () => resolve());
  terminal.on('close', () => resolve());
  return {
    drained: () => ended,
    stop: () => {
      if (process.stdin.isTTY) process.stdin.setRawMode(false);
      process.stdin.destroy();
      process.off('SIGWINCH', resize);
      terminal.destroy();
    },
  };
}
