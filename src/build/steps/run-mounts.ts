/** The mounts of a RUN: what is known of them for its cache key, and what is made ready when it runs. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StepMount } from '../../engine/build-step.ts';
import type { StepEvents } from '../display/progress.ts';
import type { InstructionOf } from '../dockerfile/instruction.ts';
import { parseRunMount, type RunMount } from '../dockerfile/run-mount.ts';
import { stepTree } from '../source/layer-chain.ts';
import { openFileTree, treeKey, treeLayers, type FileTree } from '../source/file-tree.ts';
import { byteString, text } from '../source/tree-view.ts';
import { treeEntries } from '../source/tree-entries.ts';
import type { StageBuilder } from '../stage/stage-builder.ts';
import { workingDirectory } from '../stage/metadata-instructions.ts';
import { openCacheFolder, type CacheFolder } from './cache-folder.ts';
import { entriesHash } from './content-hash.ts';
import { openSecret, readSecret } from './secret-file.ts';
import { openSshSocket } from './ssh-socket.ts';

export interface ReadyMounts extends Disposable {
  readonly mounts: readonly StepMount[];
  /** Variables that secrets and agents bring. */
  readonly env: readonly string[];
}

export interface PreparedMounts extends Disposable {
  readonly key: unknown;
  open(script: { readonly path: string; readonly content: string } | undefined): Promise<ReadyMounts>;
}

type Opener = (
  folder: string,
  into: { mounts: StepMount[]; env: string[] },
  stack: AsyncDisposableStack,
) => Promise<void>;

interface Prepared {
  readonly key: unknown;
  readonly open: Opener;
}

export async function prepareMounts(
  builder: StageBuilder,
  instruction: InstructionOf<'run'>,
  events: StepEvents,
): Promise<PreparedMounts> {
  const prepared: Prepared[] = [];
  for (const value of instruction.mounts) {
    const mount = parseRunMount(builder.variables.expand(value, instruction));
    prepared.push(await prepare(builder, mount, instruction, events));
  }
  const stacks: AsyncDisposableStack[] = [];
  return {
    key: prepared.map(({ key }) => key),
    async open(script) {
      const folder = join(builder.session.folder, `mounts-${++count}`);
      mkdirSync(folder, { mode: 0o700 });
      const into = { mounts: [] as StepMount[], env: [] as string[] };
      const stack = new AsyncDisposableStack();
      stacks.push(stack);
      if (script !== undefined) into.mounts.push(scriptMount(folder, script));
      for (const { open } of prepared) await open(folder, into, stack);
      return { ...into, [Symbol.dispose]: () => undefined };
    },
    [Symbol.dispose]: () => {
      for (const stack of stacks) void stack.disposeAsync();
    },
  };
}

let count = 0;

function scriptMount(folder: string, { path, content }: { path: string; content: string }): StepMount {
  const source = join(folder, 'script');
  writeFileSync(source, content, { mode: 0o755 });
  chmodSync(source, 0o755);
  return {
    kind: 'plain',
    mount: { destination: path, type: 'bind', source, options: ['bind', 'rprivate', 'ro'], isFile: true },
  };
}

async function prepare(
  builder: StageBuilder,
  mount: RunMount,
  instruction: InstructionOf<'run'>,
  events: StepEvents,
): Promise<Prepared> {
  const { session, draft } = builder;
  function absolute(target: string): string {
    return workingDirectory(target, draft.config.WorkingDir);
  }
  switch (mount.type) {
    case 'tmpfs': {
      const size = mount.size === undefined ? [] : [`size=${mount.size}`];
      const destination = absolute(mount.target);
      return {
        key: mount,
        open: (_folder, into) => {
          into.mounts.push({
            kind: 'plain',
            mount: { destination, type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', ...size] },
          });
          return Promise.resolve();
        },
      };
    }
    case 'bind': {
      const tree =
        mount.from === undefined
          ? await builder.input.context()
          : await builder.input.findSource(mount.from, instruction);
      return prepareBind(builder, mount, tree, absolute(mount.target));
    }
    case 'cache': {
      const tree = mount.from === undefined ? undefined : await builder.input.findSource(mount.from, instruction);
      const target = absolute(mount.target);
      return {
        // Its content is nobody's business: that is what it is for.
        key: { ...mount, target },
        async open(_folder, into, stack) {
          const folder: CacheFolder = await openCacheFolder(session, mount, tree, () =>
            events.note(`waiting for the cache ${mount.id}`),
          );
          stack.defer(() => folder[Symbol.dispose]());
          const options = ['rbind', 'rprivate', ...(mount.readOnly ? ['ro'] : [])];
          into.mounts.push({
            kind: 'plain',
            mount: { destination: target, type: 'bind', source: folder.path, options },
          });
        },
      };
    }
    case 'secret':
      return {
        key: mount,
        async open(_folder, into, stack) {
          const content = readSecret(session.request.secrets.get(mount.id), session.env);
          if (content === undefined) {
            if (mount.required) throw new Error(`secret ${mount.id}: not found`);
            return;
          }
          if (mount.env !== undefined) into.env.push(`${mount.env}=${content.toString('utf8')}`);
          if (mount.target === undefined) return;
          const secret = await openSecret(session.holder, session.secrets, content, mount);
          stack.defer(() => secret[Symbol.dispose]());
          into.mounts.push(plainFile(absolute(mount.target), secret.path));
        },
      };
    case 'ssh':
      return {
        key: mount,
        async open(folder, into, stack) {
          const source = session.request.ssh.get(mount.id);
          if (source === undefined) {
            if (mount.required) throw new Error(`unset ssh forward key ${mount.id}; give it by --ssh ${mount.id}`);
            return;
          }
          const socket = await openSshSocket(session.holder, folder, source, mount);
          stack.defer(() => socket[Symbol.asyncDispose]());
          const target = absolute(mount.target ?? `/run/buildkit/ssh_agent.${into.env.length}`);
          into.mounts.push(plainFile(target, socket.path, false));
          into.env.push(`SSH_AUTH_SOCK=${target}`);
        },
      };
  }
}

function plainFile(destination: string, source: string, readOnly = true): StepMount {
  const options = ['bind', 'rprivate', ...(readOnly ? ['ro'] : [])];
  return { kind: 'plain', mount: { destination, type: 'bind', source, options, isFile: true } };
}

function prepareBind(
  { session }: StageBuilder,
  mount: Extract<RunMount, { type: 'bind' }>,
  tree: FileTree,
  target: string,
): Prepared {
  const { store } = session;
  using opened = openFileTree(store, tree);
  const found = opened.view.resolve(byteString(mount.source));
  if (found === undefined) throw new Error(`failed to compute cache key: "${mount.source}": not found`);
  // A folder of the host is known by what is in it.
  const content = treeKey(tree) ?? entriesHash(treeEntries(opened.view));
  const isFile = found.node.kind !== 'directory';
  return {
    key: { ...mount, target, content },
    open(folder, into) {
      const layers = treeLayers(store, tree);
      const scratch = mount.writable && !isFile ? join(folder, `scratch-${into.mounts.length}`) : undefined;
      if (scratch !== undefined)
        for (const name of ['upper', 'work']) mkdirSync(join(scratch, name), { recursive: true });
      into.mounts.push({
        ...{ kind: 'tree', tree: stepTree(store, layers), path: text(found.path), isFile, target },
        ...(scratch === undefined ? {} : { scratch }),
      });
      return Promise.resolve();
    },
  };
}
