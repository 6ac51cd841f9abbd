/** Starting the process that works on a container's files (main.ts). */
import { once } from 'node:events';
import { closeSync, createReadStream, createWriteStream } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { overlayOptions, type RootSource } from '../base/root-source.ts';
import { processEntry } from '../base/install.ts';
import type { Holder } from '../holder/holder.ts';
import { joinNamespaces } from '../monitor/join-namespaces.ts';
import { LaunchPlan } from '../monitor/plan.ts';
import { startMonitor } from '../monitor/start.ts';
import { CLONE, MS } from '../sys/linux-constants.ts';
import { makePipe } from '../sys/pipe.ts';
import type { Task } from './task.ts';

/** Where the container's root is: a folder, or an overlay to be mounted at `target` for the occasion. */
export type InsideRoot =
  Extract<RootSource, { kind: 'folder' }> | (Extract<RootSource, { kind: 'overlay' }> & { readonly target: string });

export interface InsideProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Rejects with what the process printed to stderr where it failed. */
  readonly done: Promise<void>;
}

type WithoutRoot<T> = T extends unknown ? Omit<T, 'root'> : never;

/** Runs one task as root of the holder's user namespace. */
export async function runInside(holder: Holder, root: InsideRoot, task: WithoutRoot<Task>): Promise<InsideProcess> {
  const plan = insidePlan(
    holder,
    root,
    JSON.stringify({ ...task, root: root.kind === 'folder' ? root.path : root.target }),
  );
  const [inRead, inWrite] = makePipe();
  const [outRead, outWrite] = makePipe();
  const [errRead, errWrite] = makePipe();
  const monitor = startMonitor(plan, [inRead, outWrite, errWrite]);
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

function insidePlan(holder: Holder, root: InsideRoot, task: string): LaunchPlan {
  const plan = new LaunchPlan();
  joinNamespaces(plan, holder.process.pid, CLONE.NEWNS);
  plan.call('setresgid', [0, 0, 0], 'become group 0 of the user namespace');
  plan.call('setresuid', [0, 0, 0], 'become user 0 of the user namespace');
  if (root.kind === 'overlay') {
    plan.call('unshare', [CLONE.NEWNS], 'create a mount namespace');
    plan.call('mount', ['none', '/', 0, MS.REC | MS.SLAVE, 0], 'make mounts private');
    plan.call('chdir', [root.folder], `enter ${root.folder}`);
    plan.call(
      'mount',
      ['overlay', root.target, 'overlay', MS.NODEV, overlayOptions(root)],
      "mount the container's file system",
    );
  }
  plan.call('chdir', ['/'], 'enter /');
  plan.call('close_range', [3, 0xffffffff, 4 /* CLOSE_RANGE_CLOEXEC */], 'close file descriptors');
  const argv = [process.execPath, '--no-warnings', processEntry('inside'), task];
  plan.pseudo(
    'exec',
    [plan.strings([process.execPath], 'node'), plan.strings(argv, 'arguments'), plan.strings([], 'environment')],
    'execute node',
  );
  return plan;
}
