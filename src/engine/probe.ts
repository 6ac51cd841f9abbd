/** One run of a health check's program in its container. */
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { HealthCheck } from '../oci/options/health.ts';
import { startMonitor } from '../monitor/start.ts';
import { makePipe } from '../sys/pipe.ts';
import type { Container } from './container.ts';
import type { EngineContext } from './context.ts';
import { planExec } from './exec.ts';
import type { Probe } from './health.ts';
import { exitCodeOf } from './running-container.ts';

/** Bytes of output that are kept, Docker's. */
const OUTPUT_LIMIT = 4096;

/** Runs the check's program, for so long at most, and resolves with how it ended. `stop` kills it. */
export async function probeContainer(
  context: EngineContext,
  container: Container,
  check: HealthCheck,
  stop: AbortSignal,
): Promise<Probe> {
  const start = new Date().toISOString();
  function probe(exitCode: number, output: string): Probe {
    return { start, end: new Date().toISOString(), exitCode, output };
  }
  try {
    const { exitCode, output } = await runProbe(context, container, check, stop);
    if (exitCode !== undefined) return probe(exitCode, output);
    return probe(-1, `Health check exceeded timeout (${check.timeout / 1000}s): ${output}`);
  } catch (error) {
    return probe(-1, (error as Error).message);
  }
}

/** Without an exit code: it was killed. */
async function runProbe(
  context: EngineContext,
  container: Container,
  { test: [kind, ...args], timeout }: HealthCheck,
  stop: AbortSignal,
): Promise<{ exitCode?: number; output: string }> {
  using plan = await planExec(context, {
    container: container.config.id,
    args: kind === 'CMD-SHELL' ? ['/bin/sh', '-c', ...args] : args,
    env: [],
    tty: false,
    privileged: false,
    endsWithParent: true,
  });
  const [read, write] = makePipe();
  const output = collect(read);
  let monitor;
  try {
    monitor = startMonitor(plan.plan, ['ignore', write, write], [plan.pidfd]);
  } finally {
    closeSync(write);
  }
  const { child } = monitor;
  const killing = new AbortController();
  const stopped: AbortSignal = killing.signal;
  function kill(): void {
    killing.abort();
    child.kill('SIGKILL');
  }
  const timer = setTimeout(kill, timeout);
  stop.addEventListener('abort', kill);
  try {
    for (;;) {
      const record = await monitor.next();
      if (record?.kind === 'note') continue;
      // What the program has left running may hold the pipe: what came until now is its output.
      if (record !== undefined && !stopped.aborted)
        return { exitCode: exitCodeOf(record.value), output: await output.end() };
      return { output: await output.end() };
    }
  } finally {
    clearTimeout(timer);
    stop.removeEventListener('abort', kill);
    monitor.close();
  }
}

/** Reads a pipe on and on, so that nobody waits for us, and keeps its beginning. */
function collect(fd: number): { end(): Promise<string> } {
  const stream = new Socket({ fd, writable: false });
  const pieces: Buffer[] = [];
  let size = 0;
  stream.on('data', (data: Buffer) => {
    if (size < OUTPUT_LIMIT) pieces.push(data.subarray(0, OUTPUT_LIMIT - size));
    size += data.length;
  });
  stream.on('error', () => undefined);
  const ended = new Promise((resolve) => stream.once('close', resolve));
  return {
    async end() {
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 100))]);
      stream.destroy();
      return Buffer.concat(pieces).toString('utf8');
    },
  };
}
