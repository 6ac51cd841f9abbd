/** Starting one of our own processes as root of the user's namespaces. */
import { once } from 'node:events';
import { closeSync, createReadStream, createWriteStream } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { processEntry, type ProcessName } from '../base/install.ts';
import type { Holder } from '../holder/holder.ts';
import { joinNamespaces } from '../monitor/join-namespaces.ts';
import { LaunchPlan } from '../monitor/plan.ts';
import { INHERITED_FD } from '../monitor/plan-layout.ts';
import { startMonitor } from '../monitor/start.ts';
import { CLONE } from '../sys/linux-constants.ts';
import { makePipe } from '../sys/pipe.ts';

export interface InsideProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Rejects with what the process printed to stderr where it failed. */
  readonly done: Promise<void>;
}

/**
 * Runs a process of ours, `argument` its only one, as root of the holder's user namespace. `prepare` comes before it.
 * @param inherited fds of ours that the process finds at INHERITED_FD and after
 */
export async function startInside(
  holder: Holder,
  name: ProcessName,
  argument: string,
  prepare: (plan: LaunchPlan) => void = () => undefined,
  inherited: readonly number[] = [],
): Promise<InsideProcess> {
  const plan = new LaunchPlan();
  joinNamespaces(plan, holder.process.pid, CLONE.NEWNS);
  plan.call('setresgid', [0, 0, 0], 'become group 0 of the user namespace');
  plan.call('setresuid', [0, 0, 0], 'become user 0 of the user namespace');
  prepare(plan);
  plan.call('chdir', ['/'], 'enter /');
  for (const [first, last] of [
    [3, INHERITED_FD - 1],
    [INHERITED_FD + inherited.length, 0xffffffff],
  ] as const)
    plan.call('close_range', [first, last, 4 /* CLOSE_RANGE_CLOEXEC */], 'close file descriptors');
  const argv = [process.execPath, '--no-warnings', processEntry(name), argument];
  plan.pseudo(
    'exec',
    [plan.strings([process.execPath], 'node'), plan.strings(argv, 'arguments'), plan.strings([], 'environment')],
    'execute node',
  );
  const [inRead, inWrite] = makePipe();
  const [outRead, outWrite] = makePipe();
  const [errRead, errWrite] = makePipe();
  const monitor = startMonitor(plan, [inRead, outWrite, errWrite], inherited);
  for (const fd of [inRead, outWrite, errWrite]) closeSync(fd);
  const complaint = text(createReadStream('', { fd: errRead }));
  const exited = once(monitor.child, 'exit') as Promise<[number | null]>;
  await monitor.next();
  monitor.child.ref();
  return {
    stdin: createWriteStream('', { fd: inWrite }),
    stdout: createReadStream('', { fd: outRead }),
    done: (async () => {
      const [code] = await exited;
      if (code !== 0)
        throw new Error((await complaint).trim() || 'the process that works on the container ended early');
    })(),
  };
}
