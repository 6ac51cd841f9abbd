/** Reading a writable layer, in a process of its own (layer-process/main.ts): the part of the contract that both kinds share. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { processEntry } from '../base/install.ts';
import type { ContainerChange } from '../image/layer/container-changes.ts';
import type { NewLayer } from '../image/layer/store-layer.ts';
import { startInside } from '../inside/start-inside.ts';
import type { ReadTask } from './layer-process/task.ts';
import type { LayerArchive, ReadContext, StoreRequest, WritableLayer } from './writable-layer.ts';

type Reading = Pick<WritableLayer, 'changes' | 'archive' | 'store' | 'prepareStore'>;

/** `folder`: the layer's, in that of its container. */
export function layerReading(kind: ReadTask['upper']['kind'], folder: string): Reading {
  async function start(context: ReadContext, task: Omit<ReadTask, 'upper' | 'lower' | 'mountPoints'>): Promise<Output> {
    const argument = JSON.stringify({
      ...task,
      upper: { kind, path: `${context.folder}/${folder}` },
      lower: context.lower,
      // In a whole file system they are places to mount at, as everywhere.
      mountPoints: task.operation === 'whole' ? [] : (context.mountPoints ?? RUNTIME_MOUNT_POINTS),
    } satisfies ReadTask);
    // Files of a kernel overlay belong to any id of the user's map; of the other kind everything is the user's own.
    const output = kind === 'kernel' ? await startInside(context.holder, 'layer', argument) : startAsUser(argument);
    if (task.waits !== true) output.stdin.end();
    return output;
  }
  function startStore(context: ReadContext, { root, consume = false, latest }: StoreRequest, waits: boolean) {
    const task = { operation: 'store', store: { root, consume }, ...(latest !== undefined && { latest }) } as const;
    return start(context, { ...task, waits });
  }
  return {
    async changes(context) {
      const { stdout, done } = await start(context, { operation: 'changes' });
      const [printed] = await Promise.all([buffer(stdout), done]);
      return parseChanges(printed);
    },

    archive: (context, whole = false) => start(context, { operation: whole ? 'whole' : 'tar' }),

    store: async (context, request) => storedLayer(await startStore(context, request, false)),

    prepareStore(context, request) {
      const started = startStore(context, request, true);
      // Whether it could be started, and ended well, is for `store` to tell.
      started.then(({ stdin, done }) => {
        stdin.on('error', ignore);
        done.catch(ignore);
      }, ignore);
      return {
        async store() {
          const output = await started;
          output.stdin.end('\n');
          return storedLayer(output);
        },
        [Symbol.dispose]: () => void started.then(({ stdin }) => stdin.end(), ignore),
      };
    },
  };
}

/**
 * Where the runtime mounts something in each container. Docker has these in a layer of its own below the container's, so that
 * they are nobody's change.
 */
export const RUNTIME_MOUNT_POINTS: readonly string[] = [
  'dev',
  'dev/console',
  'dev/mqueue',
  'dev/pts',
  'dev/shm',
  'etc',
  'etc/hostname',
  'etc/hosts',
  'etc/resolv.conf',
  'proc',
  'sys',
  'sys/fs',
  'sys/fs/cgroup',
];

interface Output extends LayerArchive {
  readonly stdin: Writable;
}

async function storedLayer({ stdout, done }: Output): Promise<NewLayer> {
  const [printed] = await Promise.all([text(stdout), done]);
  return JSON.parse(printed) as NewLayer;
}

function ignore(): void {
  // Somebody else tells it.
}

function startAsUser(argument: string): Output {
  const child = spawn(process.execPath, ['--no-warnings', processEntry('layer'), argument], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const complaint = text(child.stderr);
  const exited = once(child, 'exit') as Promise<[number | null]>;
  const stdout: Readable = child.stdout;
  return {
    stdin: child.stdin,
    stdout,
    done: (async () => {
      const [code] = await exited;
      if (code !== 0) throw new Error((await complaint).trim() || 'the process that reads the layer ended early');
    })(),
  };
}

function parseChanges(printed: Buffer): ContainerChange[] {
  const changes: ContainerChange[] = [];
  for (let at = 0; at < printed.length;) {
    const end = printed.indexOf(0, at);
    const kind = String.fromCharCode(printed[at]!) as ContainerChange['kind'];
    changes.push({ kind, path: printed.subarray(at + 2, end) });
    at = end + 1;
  }
  return changes;
}
