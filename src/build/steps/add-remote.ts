/** ADD of what lies elsewhere: a file at a URL, or a git repository. */
import { createHash } from 'node:crypto';
import { createWriteStream, openSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { DirectoryLayer } from 'fuse-overlay';
import { openUrl } from '../../image/registry/open-url.ts';
import { cloneRepository, isRepository } from '../context/git-repository.ts';
import { IgnoreRules } from '../context/ignore-rules.ts';
import type { StepEvents } from '../display/progress.ts';
import type { BuildSession } from '../session.ts';
import { TreeView } from '../source/tree-view.ts';
import { addArchive, isArchive } from './add-archive.ts';
import { CopyError, type CopyPlan } from './copy-files.ts';

export interface RemoteSource extends Disposable {
  addTo(plan: CopyPlan, unpack: boolean): Promise<void>;
}

/** What kind of source elsewhere a text names; undefined for a file of the context. */
export function remoteKind(source: string): 'git' | 'http' | undefined {
  if (isRepository(source)) return 'git';
  return /^https?:\/\//.test(source) ? 'http' : undefined;
}

/** Fetches it; it lies in the build's folder until it is disposed of. */
export async function openRemote(
  session: BuildSession,
  source: string,
  checksum: string | undefined,
  keepGitDir: boolean,
  events: StepEvents,
): Promise<RemoteSource> {
  if (remoteKind(source) === 'git') return openRepository(session, source, checksum, keepGitDir, events);
  return openDownload(session, source, checksum, events);
}

let count = 0;

async function openDownload(
  session: BuildSession,
  source: string,
  checksum: string | undefined,
  events: StepEvents,
): Promise<RemoteSource> {
  const url = new URL(source);
  const name = basename(decodeURIComponent(url.pathname));
  const path = join(session.folder, `download-${++count}`);
  events.note(`fetching ${source}`);
  const hash = createHash('sha256');
  await pipeline(
    Readable.from(await openUrl(url, session.env)),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        yield chunk;
      }
    },
    createWriteStream(path, { mode: 0o600 }),
    { signal: session.signal },
  );
  const digest = `sha256:${hash.digest('hex')}`;
  if (checksum !== undefined && checksum !== digest) {
    throw new CopyError(`digest mismatch ${digest}: ${checksum} for ${source}`);
  }
  const { size } = statSync(path);
  function open(): number {
    return openSync(path, 'r');
  }
  return {
    async addTo(plan, unpack) {
      if (unpack && isArchive(open, size)) return addArchive(session.store, plan, open, source);
      if (name === '') throw new CopyError(`cannot determine filename for source ${source}`);
      // As in Docker: a download is its owner's alone, and without a time.
      plan.putFile({ name, mode: 0o600, mtime: 0, size, open });
    },
    [Symbol.dispose]: () => rmSync(path, { force: true }),
  };
}

async function openRepository(
  session: BuildSession,
  source: string,
  checksum: string | undefined,
  keepGitDir: boolean,
  events: StepEvents,
): Promise<RemoteSource> {
  const folder = join(session.folder, `repository-${++count}`);
  events.note(`cloning ${source}`);
  const { path, commit } = await cloneRepository(source, folder, session);
  if (checksum !== undefined && !commit.startsWith(checksum)) {
    throw new CopyError(`expected checksum to match ${checksum}, got ${commit}`);
  }
  const ignore = new IgnoreRules(keepGitDir ? [] : ['.git']);
  const view = new TreeView(new DirectoryLayer(path), { ignore, rootOwned: true });
  return {
    addTo: (plan) => Promise.resolve(plan.copy(view, { path: '', node: view.root, named: '' })),
    [Symbol.dispose]: () => {
      view.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
