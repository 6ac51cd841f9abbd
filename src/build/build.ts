/** A whole build, from a request to the images and files that it asked for. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ensureHolder } from '../holder/holder.ts';
import type { ImageStore } from '../image/image-store.ts';
import { beginAddition } from '../image/store/activity.ts';
import { tidyUp } from '../image/store/sweep.ts';
import type { StatePaths } from '../state/paths.ts';
import { tryLock, type Lock } from '../state/lock.ts';
import { probeKernelOverlay } from '../storage/probe.ts';
import { removeTrees } from '../storage/remove-tree.ts';
import type { BuildRequest } from './build-request.ts';
import { StepCache } from './cache/step-cache.ts';
import { exportCaches, importCaches } from './cache/outer-caches.ts';
import { checkDockerfile, type Warning } from './checks/check-dockerfile.ts';
import { loadContext, loadNamedContext, type LoadOptions } from './context/load-context.ts';
import type { Progress } from './display/progress.ts';
import { DockerfileError } from './dockerfile/dockerfile-error.ts';
import { parseCheck } from './dockerfile/directives.ts';
import { parseDockerfile, type Dockerfile } from './dockerfile/parse-dockerfile.ts';
import { exportResults, type BuildOutcome } from './output/export-results.ts';
import { PlatformBuild, type PlatformContexts } from './platform-build.ts';
import type { BuildSession } from './session.ts';
import type { FileTree } from './source/file-tree.ts';
import { forgetTrees } from './source/layer-chain.ts';

export interface BuildEnvironment {
  readonly paths: StatePaths;
  readonly store: ImageStore;
  readonly progress: Progress;
  readonly cwd: string;
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream;
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly signal: AbortSignal;
}

/** A build that failed for what stands in its Dockerfile. */
export class BuildFailure extends Error {
  readonly error: DockerfileError;
  readonly dockerfileName: string;
  readonly lines: readonly string[];

  constructor(error: DockerfileError, dockerfileName: string, lines: readonly string[], isSyntax: boolean) {
    super(isSyntax ? `dockerfile parse error on line ${error.position.line}: ${error.message}` : error.message, {
      cause: error,
    });
    this.error = error;
    this.dockerfileName = dockerfileName;
    this.lines = lines;
  }
}

export interface BuildResult extends BuildOutcome {
  readonly warnings: readonly Warning[];
}

/** Throws a BuildFailure, an ImageError, or an Error with a line for the user. */
export async function build(request: BuildRequest, environment: BuildEnvironment): Promise<BuildResult> {
  const { paths, store, progress, env, cwd, stdin } = environment;
  const stop = new AbortController();
  const signal = AbortSignal.any([environment.signal, stop.signal]);
  using own = ownFolder(paths);
  const holder = await ensureHolder(paths);
  await sweepFolders(paths);
  try {
    using addition = await beginAddition(store.layout);
    const options: LoadOptions = { store, folder: own.folder, cwd, stdin, env, signal };
    const { tree, source } = await loadDefinition(request, progress, options);
    const dockerfile = parse(source.text, source.name);
    const warnings: Warning[] = checkDockerfile(dockerfile);
    const { kernel } = await probeKernelOverlay(paths, holder);
    const session: BuildSession = {
      ...{ request, paths, store, holder, dockerfile, progress, env, signal },
      writable: kernel ? 'kernel' : 'fuse',
      cache: new StepCache(paths.builds, store.layout),
      folder: own.folder,
      secrets: secretsOf(paths, own.folder),
      underWay: new Map(),
      records: new Map(),
      materials: [],
      warn: (rule, message, { start }) => {
        if (!warnings.some((each) => each.rule === rule && each.message === message && each.line === start.line)) {
          warnings.push({ rule, message, line: start.line });
        }
      },
    };
    try {
      await importCaches(session);
      const contexts = openContexts(session, tree, options);
      const builds = request.platforms.map((platform) => new PlatformBuild(session, platform, contexts));
      const results = await Promise.all(
        builds.map((each) =>
          each.build().catch((error: unknown) => {
            // The first failure ends the rest, and is the one to tell.
            stop.abort();
            throw error;
          }),
        ),
      );
      const shown = filterWarnings(warnings, dockerfile, request);
      const outcome = await exportResults(
        session,
        request.platforms.map((platform, i) => ({ platform, result: results[i]! })),
        environment.stdout,
      );
      await exportCaches(session);
      addition.finished();
      return { ...outcome, warnings: shown };
    } catch (error) {
      if (error instanceof DockerfileError) throw new BuildFailure(error, source.name, dockerfile.lines, false);
      throw error;
    }
  } finally {
    forgetTrees(store);
    await removeTrees(holder, [own.folder, secretsOf(paths, own.folder)]);
    tidyUp(store.layout);
  }
}

/** `--check`: what is to be said of the Dockerfile, and nothing built. */
export async function checkOnly(
  request: BuildRequest,
  environment: BuildEnvironment,
): Promise<{ warnings: readonly Warning[]; lines: readonly string[]; name: string; fails: boolean }> {
  const { paths, store, progress, env, cwd, stdin, signal } = environment;
  using own = ownFolder(paths);
  const options: LoadOptions = { store, folder: own.folder, cwd, stdin, env, signal };
  try {
    const { source } = await loadDefinition(request, progress, options);
    const dockerfile = parse(source.text, source.name);
    const warnings = filterWarnings(checkDockerfile(dockerfile), dockerfile, request, true);
    return { warnings, lines: dockerfile.lines, name: source.name, fails: warnings.length > 0 };
  } finally {
    rmSync(own.folder, { recursive: true, force: true });
  }
}

async function loadDefinition(request: BuildRequest, progress: Progress, options: LoadOptions) {
  const events = progress.step(`[internal] load build definition from ${request.file ?? 'Dockerfile'}`);
  events.begin();
  try {
    const { tree, dockerfile, dockerfileName } = await loadContext(request.context, request.file, options);
    events.note(`transferring dockerfile: ${Buffer.byteLength(dockerfile)}B done`);
    events.done();
    return { tree, source: { text: dockerfile, name: dockerfileName } };
  } catch (error) {
    events.fail((error as Error).message);
    throw error;
  }
}

function parse(text: string, name: string): Dockerfile {
  if (text.trim() === '') throw new Error(`the Dockerfile (${name}) cannot be empty`);
  try {
    return parseDockerfile(text);
  } catch (error) {
    if (error instanceof DockerfileError) throw new BuildFailure(error, name, text.split(/\r?\n/), true);
    throw error;
  }
}

function openContexts(session: BuildSession, tree: FileTree, options: LoadOptions): PlatformContexts {
  const named = new Map<string, Promise<FileTree | { readonly image: string } | undefined>>();
  return {
    main: () => Promise.resolve(tree),
    named(name) {
      let found = named.get(name);
      if (found === undefined) {
        found = openNamed(session.request.contexts, name, options);
        named.set(name, found);
      }
      return found;
    },
  };
}

async function openNamed(
  contexts: BuildRequest['contexts'],
  name: string,
  options: LoadOptions,
): Promise<FileTree | { readonly image: string } | undefined> {
  const source = contexts.get(name) ?? contexts.get(name.toLowerCase());
  if (source === undefined) return undefined;
  if (source.startsWith('docker-image://')) return { image: source.slice('docker-image://'.length) };
  return loadNamedContext(source, options);
}

/** What is said about the Dockerfile, with what it has asked not to be told. Throws where warnings are errors. */
function filterWarnings(
  warnings: readonly Warning[],
  { directives }: Dockerfile,
  { buildArgs }: BuildRequest,
  checkOnly = false,
): Warning[] {
  const given = buildArgs.get('BUILDKIT_DOCKERFILE_CHECK');
  const { skip, skipAll, error } = given === undefined ? directives.check : parseCheck(given);
  const shown = skipAll ? [] : warnings.filter(({ rule }) => !skip.includes(rule));
  if (error && shown.length > 0 && !checkOnly) {
    throw new Error(`lint violation found for rules: ${[...new Set(shown.map(({ rule }) => rule))].join(', ')}`);
  }
  return shown.sort((a, b) => a.line - b.line);
}

/** A folder of this build, locked as long as it lives, so that what a killed one has left is known. */
function ownFolder({ builds }: StatePaths): { folder: string } & Disposable {
  const under = join(builds, 'under-way');
  mkdirSync(under, { recursive: true, mode: 0o700 });
  const folder = mkdtempSync(join(under, 'build-'));
  const lock = tryLock(join(under, `${folder.slice(under.length + 1)}.lock`));
  return {
    folder,
    [Symbol.dispose]: () => {
      rmSync(`${folder}.lock`, { force: true });
      lock?.[Symbol.dispose]();
    },
  };
}

/** Where the secrets of the build with that folder are. */
function secretsOf({ run }: StatePaths, folder: string): string {
  return join(run, `${basename(folder)}-secrets`);
}

/** Removes the folders of builds that were killed. */
async function sweepFolders(paths: StatePaths): Promise<void> {
  const under = join(paths.builds, 'under-way');
  for (const name of readdirSync(under)) {
    if (!name.startsWith('build-')) continue;
    const path = join(under, name);
    if (name.endsWith('.lock')) {
      // Locks come after their folders and go after them: whoever was to remove this one was killed in between.
      if (!existsSync(path.slice(0, -'.lock'.length))) rmSync(path, { force: true });
      continue;
    }
    const lock: Lock | undefined = tryLock(`${path}.lock`);
    if (lock === undefined) continue;
    try {
      await removeTrees(await ensureHolder(paths), [path, secretsOf(paths, path)]);
      rmSync(`${path}.lock`, { force: true });
    } finally {
      lock[Symbol.dispose]();
    }
  }
}
