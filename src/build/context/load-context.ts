/** Where a build's files come from: a folder, a repository, an archive at a URL or on standard input. */
import {
  createReadStream,
  createWriteStream,
  existsSync,
  openSync,
  readFileSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ImageStore } from '../../image/image-store.ts';
import { addLayer } from '../../image/layer/add-layer.ts';
import { openUrl } from '../../image/registry/open-url.ts';
import { openFileTree, type FileTree } from '../source/file-tree.ts';
import { byteString } from '../source/tree-view.ts';
import { isArchive } from '../steps/add-archive.ts';
import { readTreeText } from '../steps/account.ts';
import { IgnoreRules, parseIgnoreFile } from './ignore-rules.ts';
import { cloneRepository, isRepository } from './git-repository.ts';

export interface LoadOptions {
  readonly store: ImageStore;
  /** Of this build alone. */
  readonly folder: string;
  readonly cwd: string;
  readonly stdin: NodeJS.ReadableStream;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly signal: AbortSignal;
}

export interface LoadedContext {
  readonly tree: FileTree;
  readonly dockerfile: string;
  /** As the user calls it. */
  readonly dockerfileName: string;
}

/** Finds the context and its Dockerfile. `file`: of `-f`. Throws an Error in Docker's words. */
export async function loadContext(
  context: string,
  file: string | undefined,
  options: LoadOptions,
): Promise<LoadedContext> {
  if (context === '-' && file === '-')
    throw new Error("invalid argument: can't use stdin for both build context and dockerfile");
  const piped = file === '-' ? await readAll(options.stdin) : undefined;
  const { tree, dockerfile, root } = await loadTree(context, options);
  if (piped !== undefined) return { tree: withIgnore(tree, undefined), dockerfile: piped, dockerfileName: '-' };
  // What came alone is a Dockerfile, and there are no other files.
  if (dockerfile !== undefined) return { tree, dockerfile, dockerfileName: 'Dockerfile' };
  return root === undefined ? fromTree(tree, file, options.store) : fromFolder(tree, root, file, options);
}

/** A named context: a folder, a repository or an archive. */
export async function loadNamedContext(source: string, options: LoadOptions): Promise<FileTree> {
  const { tree } = await loadTree(source, options);
  return withIgnore(tree, undefined);
}

interface LoadedTree {
  readonly tree: FileTree;
  readonly dockerfile?: string;
  /** A folder of the host. */
  readonly root?: string;
}

let count = 0;

async function loadTree(context: string, options: LoadOptions): Promise<LoadedTree> {
  const { folder, cwd, stdin } = options;
  if (context === '-') return loadArchive(stdin as unknown as AsyncIterable<Buffer>, 'standard input', options);
  if (isRepository(context)) {
    const { path } = await cloneRepository(context, join(folder, `context-${++count}`), options);
    return folderTree(path);
  }
  if (/^https?:\/\//.test(context)) return loadArchive(await openUrl(new URL(context), options.env), context, options);
  const path = resolve(cwd, context);
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) throw new Error(`unable to prepare context: path "${context}" not found`);
  if (!stat.isDirectory()) throw new Error(`unable to prepare context: context must be a directory: ${path}`);
  return folderTree(realpathSync(path));
}

function folderTree(path: string): LoadedTree {
  return { tree: { kind: 'folder', path, ignore: new IgnoreRules([]) }, root: path };
}

/** A tar archive becomes a layer; anything else is the text of a Dockerfile. */
async function loadArchive(
  source: AsyncIterable<Buffer>,
  shownAs: string,
  { store, folder, signal }: LoadOptions,
): Promise<LoadedTree> {
  const path = join(folder, `archive-${++count}`);
  await pipeline(Readable.from(source), createWriteStream(path, { mode: 0o600 }), { signal });
  const { size } = statSync(path);
  if (!isArchive(() => openSync(path, 'r'), size)) {
    if (size === 0) throw new Error(`unable to prepare context: ${shownAs} is empty`);
    return { tree: { kind: 'layers', layers: [] }, dockerfile: readFileSync(path, 'utf8') };
  }
  const layer = await addLayer(store, createReadStream(path), `the build context from ${shownAs}`);
  return { tree: { kind: 'layers', layers: [layer] } };
}

function fromTree(tree: FileTree, file: string | undefined, store: ImageStore): LoadedContext {
  const name = file ?? 'Dockerfile';
  using opened = openFileTree(store, tree);
  const dockerfile = readTreeText(opened.view, byteString(name));
  if (dockerfile === undefined) throw noDockerfile(name);
  const rules =
    readTreeText(opened.view, byteString(`${name}.dockerignore`)) ?? readTreeText(opened.view, '.dockerignore');
  return { tree: withIgnore(tree, rules), dockerfile, dockerfileName: name };
}

/** The Dockerfile may lie outside of the context; a path that `-f` gives is the working directory's. */
function fromFolder(tree: FileTree, root: string, file: string | undefined, { cwd }: LoadOptions): LoadedContext {
  const path = file === undefined ? defaultFile(root) : resolve(cwd, file);
  let dockerfile: string;
  try {
    dockerfile = readFileSync(path, 'utf8');
  } catch {
    // In a repository `-f` is a path of its own.
    const inside = file === undefined ? undefined : join(root, file);
    if (inside === undefined || !existsSync(inside)) throw noDockerfile(file ?? basename(path));
    dockerfile = readFileSync(inside, 'utf8');
  }
  const own = `${path}.dockerignore`;
  const common = join(root, '.dockerignore');
  const rules = [own, common].find((each) => existsSync(each));
  return {
    tree: withIgnore(tree, rules === undefined ? undefined : readFileSync(rules, 'utf8')),
    dockerfile,
    dockerfileName: file ?? basename(path),
  };
}

/** `Dockerfile`, or `dockerfile` where there is only that. */
function defaultFile(root: string): string {
  const usual = join(root, 'Dockerfile');
  const lower = join(dirname(usual), 'dockerfile');
  return !existsSync(usual) && existsSync(lower) ? lower : usual;
}

function withIgnore(tree: FileTree, rules: string | undefined): FileTree {
  if (tree.kind === 'layers')
    return rules === undefined ? tree : { ...tree, ignore: new IgnoreRules(parseIgnoreFile(rules)) };
  const text = rules ?? readIfThere(join(tree.path, '.dockerignore'));
  return text === undefined ? tree : { ...tree, ignore: new IgnoreRules(parseIgnoreFile(text)) };
}

function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8') : undefined;
}

function noDockerfile(name: string): Error {
  return new Error(`failed to read dockerfile: open ${name}: no such file or directory`);
}

async function readAll(stream: NodeJS.ReadableStream): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).toString('utf8');
}
