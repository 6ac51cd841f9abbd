/** `cp`: files between a container, running or not, and the host, by Docker's rules for names. */
import { closeSync, lstatSync, mkdirSync, statSync } from 'node:fs';
import { basename, dirname, join, posix, resolve } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar';
import { ensureHolder } from '../holder/holder.ts';
import { packAs } from '../inside/pack.ts';
import { runInside, type InsideRoot } from '../inside/run-inside.ts';
import type { FileStat, Task } from '../inside/task.ts';
import { writableLayer } from '../storage/probe.ts';
import type { StatePaths } from '../state/paths.ts';
import type { Container } from './container.ts';
import { EngineError } from './engine-error.ts';
import { openEngineImages } from './images.ts';
import { findLower } from './lower.ts';
import { openRoot } from './root-files.ts';
import { layerQuota } from './storage-quota.ts';

export interface CopyOptions {
  /** Follow the source where it is a link (`-L`). */
  readonly followLink: boolean;
  /** Keep owners (`-a`); otherwise root owns what goes in, and the user what comes out. */
  readonly archive: boolean;
}

/** What is copied becomes `name` in the folder `parent`; or, with `contentsOnly`, its entries become the folder's. */
interface Destination {
  readonly parent: string;
  readonly name: string;
}

/** Copies out of a container to a path of the host. */
export async function copyFromContainer(
  paths: StatePaths,
  container: Container,
  from: string,
  to: string,
  options: CopyOptions,
): Promise<void> {
  using files = await openFiles(paths, container);
  const source = absolute(from);
  const kind = await sourceKind(files, container, source, options);
  const { parent, name } = destination(to, kind, source, from, hostKind(to));
  mkdirSync(parent, { recursive: true });
  const packed = await files.run({
    operation: 'pack',
    path: source,
    name,
    follow: options.followLink || from.endsWith('/'),
  });
  packed.stdin.end();
  await Promise.all([pipeline(packed.stdout, extract({ cwd: parent, preserveOwner: false })), packed.done]);
}

/** Writes what is at a path of the container as a tar archive. */
export async function archiveFromContainer(
  paths: StatePaths,
  container: Container,
  from: string,
  to: Writable,
  options: CopyOptions,
): Promise<void> {
  using files = await openFiles(paths, container);
  const source = absolute(from);
  await sourceKind(files, container, source, options);
  const name = basename(source) === '' ? '.' : basename(source);
  const packed = await files.run({ operation: 'pack', path: source, name, follow: options.followLink });
  packed.stdin.end();
  await Promise.all([pipeline(packed.stdout, to, { end: false }), packed.done]);
}

/** Copies a path of the host into a container. */
export async function copyToContainer(
  paths: StatePaths,
  container: Container,
  from: string,
  to: string,
  options: CopyOptions,
): Promise<void> {
  const stat =
    options.followLink || from.endsWith('/')
      ? statOrFail(from, (path) => statSync(path))
      : statOrFail(from, (path) => lstatSync(path));
  using files = await openFiles(paths, container);
  const there = await files.stat(absolute(to));
  const kind = stat.isDirectory() ? 'folder' : 'file';
  const source = resolve(from);
  const { parent, name } = destination(absolute(to, true), kind, source, from, there?.targetKind);
  if ((await files.stat(parent))?.targetKind !== 'folder') {
    throw new EngineError('NOT_FOUND', `Could not find the file ${parent} in container ${container.config.name}`);
  }
  const archive = packAs(source, name, options.followLink);
  const unpacked = await files.run({ operation: 'unpack', folder: parent, keepOwner: options.archive });
  await Promise.all([pipeline(archive, unpacked.stdin), unpacked.done]);
}

/** Unpacks a tar archive in a folder of the container. */
export async function archiveToContainer(
  paths: StatePaths,
  container: Container,
  from: Readable,
  to: string,
  options: CopyOptions,
): Promise<void> {
  using files = await openFiles(paths, container);
  const unpacked = await files.run({ operation: 'unpack', folder: absolute(to), keepOwner: options.archive });
  await Promise.all([pipeline(from, unpacked.stdin), unpacked.done]);
}

/**
 * Docker's rules: into a folder that exists goes the source by its own name, or, where the source is written with a
 * final `/.`, what is in it; otherwise the destination names what comes to be.
 */
function destination(
  to: string,
  kind: 'file' | 'folder',
  source: string,
  written: string,
  there: FileStat['kind'] | undefined,
): Destination {
  const contents = /\/\.$|^\.$/.test(written) && kind === 'folder';
  if (there === 'folder') return { parent: to, name: contents ? '.' : basename(source) };
  if (there !== undefined && kind === 'folder') throw new EngineError('INVALID', 'cannot copy directory');
  if (there === undefined && kind === 'file' && to.endsWith('/')) {
    throw new EngineError('NOT_FOUND', `destination directory "${to}" must exist`);
  }
  const clean = to.replace(/\/+$/, '');
  return { parent: dirname(clean), name: basename(clean) };
}

/** A path of the container, which is taken from its root where it is relative. */
function absolute(path: string, keepSlash = false): string {
  const clean = posix.resolve('/', path);
  return keepSlash && path.endsWith('/') && clean !== '/' ? `${clean}/` : clean;
}

function hostKind(path: string): FileStat['kind'] | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) {
    const parent = dirname(path.replace(/\/+$/, ''));
    if (statSync(parent, { throwIfNoEntry: false })?.isDirectory() !== true) {
      throw new EngineError('NOT_FOUND', `invalid output path: directory "${resolve(parent)}" does not exist`);
    }
    return undefined;
  }
  return stat.isDirectory() ? 'folder' : 'file';
}

function statOrFail<T>(path: string, stat: (path: string) => T): T {
  try {
    return stat(path);
  } catch (error) {
    throw new EngineError('NOT_FOUND', `lstat ${path}: no such file or directory`, { cause: error });
  }
}

async function sourceKind(
  files: ContainerFiles,
  { config }: Container,
  source: string,
  { followLink }: CopyOptions,
): Promise<'file' | 'folder'> {
  const stat = await files.stat(source);
  const kind = followLink ? stat?.targetKind : stat?.kind;
  if (kind === undefined) {
    throw new EngineError('NOT_FOUND', `Could not find the file ${source} in container ${config.name}`);
  }
  return kind === 'folder' ? 'folder' : 'file';
}

type WithoutRoot<T> = T extends unknown ? Omit<T, 'root'> : never;

/** Dispose of it when the last task is done. */
interface ContainerFiles extends Disposable {
  stat(path: string): Promise<FileStat | undefined>;
  run(task: WithoutRoot<Task>): ReturnType<typeof runInside>;
}

async function openFiles(paths: StatePaths, container: Container): Promise<ContainerFiles> {
  const holder = await ensureHolder(paths);
  const root = await findRoot();
  function run(task: WithoutRoot<Task>): ReturnType<typeof runInside> {
    return runInside(holder, root, task);
  }
  async function findRoot(): Promise<InsideRoot> {
    const { folder, state, config } = container;
    const running = state.status === 'running' ? openRoot(state.process) : undefined;
    if (running !== undefined) return { kind: 'open', fd: running };
    const lower = findLower({ images: openEngineImages(paths) }, config, holder.map);
    const prepared = await writableLayer(config.writable).prepare({
      paths,
      holder,
      id: config.id,
      folder,
      lower,
      quota: layerQuota(config.request.storage),
    });
    return prepared.kind === 'folder' ? prepared : { ...prepared, target: join(folder, 'root') };
  }
  return {
    run,
    [Symbol.dispose]() {
      if (root.kind === 'open') closeSync(root.fd);
    },
    async stat(path) {
      const asked = await run({ operation: 'stat', path });
      asked.stdin.end();
      const [answer] = await Promise.all([text(asked.stdout), asked.done]);
      return (JSON.parse(answer) as FileStat | null) ?? undefined;
    },
  };
}
