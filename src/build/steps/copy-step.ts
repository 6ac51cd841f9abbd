/** COPY and ADD. */
import { posix } from 'node:path';
import { storeLayer } from '../../image/layer/store-layer.ts';
import { cleanPattern } from '../context/ignore-rules.ts';
import { sealedMemfd } from '../../sys/memfd.ts';
import type { Instruction } from '../dockerfile/instruction.ts';
import type { StepRecord } from '../cache/step-cache.ts';
import { stepKey } from '../cache/step-cache.ts';
import { cachedStep } from '../session.ts';
import { openFileTree } from '../source/file-tree.ts';
import { openTree } from '../source/layer-chain.ts';
import { byteString, text, type TreeView } from '../source/tree-view.ts';
import type { StageBuilder } from '../stage/stage-builder.ts';
import { resolveOwner } from './account.ts';
import { openRemote, remoteKind, type RemoteSource } from './add-remote.ts';
import { addArchive, isArchive } from './add-archive.ts';
import { entriesHash } from './content-hash.ts';
import { CopyError, CopyPlan, type CopyRules, type LooseFile } from './copy-files.ts';
import { parseMode, type ModeChange } from './file-mode.ts';
import { matchSource, type SourceMatch } from './source-patterns.ts';

type CopyInstruction = Extract<Instruction, { readonly kind: 'copy' | 'add' }>;

/** The instruction with its variables expanded. */
interface Expanded {
  readonly instruction: CopyInstruction;
  readonly locals: readonly string[];
  readonly remotes: readonly string[];
  readonly files: readonly LooseFile[];
  readonly destination: string;
  readonly chown: string | undefined;
  readonly mode: ModeChange | undefined;
  readonly modeText: string;
  readonly excludes: readonly string[];
  readonly checksum: string | undefined;
}

/** What there is to copy, found and open. */
interface Found {
  readonly view: TreeView;
  readonly matches: readonly { readonly match: SourceMatch; readonly keepPath: string | undefined }[];
  readonly remotes: readonly RemoteSource[];
}

export async function copyStep(builder: StageBuilder, instruction: CopyInstruction): Promise<StepRecord> {
  const { session, input } = builder;
  const expanded = expand(builder, instruction);
  const from = instruction.from === undefined ? undefined : builder.variables.expand(instruction.from, instruction);
  const tree = from === undefined ? await input.context() : await input.findSource(from, instruction);
  const events = session.progress.step(builder.stepTitle(instruction.text));
  await using stack = new AsyncDisposableStack();
  const { view } = stack.use(openFileTree(session.store, tree));
  const remotes: RemoteSource[] = [];
  for (const url of expanded.remotes) {
    const remote = await openRemote(session, url, expanded.checksum, instruction.keepGitDir, events);
    stack.defer(() => remote[Symbol.dispose]());
    remotes.push(remote);
  }
  const found = { view, matches: findMatches(view, expanded), remotes };
  checkDestination(expanded, found);

  // What is copied does not depend on what is there already, but for where links in the destination lead.
  const bare = await planCopy(builder, expanded, found, 'key');
  const { chown, destination, modeText } = expanded;
  const key = stepKey({
    version: 1,
    copy: entriesHash(bare.entries),
    unpack: [instruction.kind, instruction.unpack],
    ...{ destination, chown, modeText },
    chain: instruction.link && (chown === undefined || /^[\d:]+$/.test(chown)) ? 'link' : builder.chain,
  });
  return await cachedStep(session, events, {
    key,
    mayUseCache: builder.mayUseCache,
    description: instruction.text,
    work: async () => {
      using base = openTree(session.store, builder.layers);
      const owner = chown === undefined ? undefined : resolveOwner(chown, base.view);
      const onto = { base: instruction.link ? undefined : base.view, owner };
      const { entries } = await planCopy(builder, expanded, found, onto);
      return entries.length === 0 ? undefined : storeLayer(session.store.layout, entries);
    },
  });
}

function expand({ variables, draft }: StageBuilder, instruction: CopyInstruction): Expanded {
  function word(written: string): string {
    return variables.expand(written, instruction);
  }
  const sources = instruction.sources.map(word);
  function isRemote(source: string): boolean {
    return instruction.kind === 'add' && remoteKind(source) !== undefined;
  }
  const chmod = instruction.chmod === undefined ? undefined : word(instruction.chmod);
  const files = instruction.contents.map(({ name, content, expand }): LooseFile => {
    const bytes = Buffer.from(expand ? variables.expandContent(content, instruction) : content);
    return { name, mode: 0o644, mtime: 0, size: bytes.length, open: () => sealedMemfd('trun-file', bytes) };
  });
  const written = word(instruction.destination);
  const joined = posix.join('/', written.startsWith('/') ? '' : (draft.config.WorkingDir ?? '/'), written);
  const isFolder = /(?:^|\/)\.{0,2}$/.test(written);
  const checksum = instruction.checksum === undefined ? undefined : word(instruction.checksum);
  if (checksum !== undefined && sources.some((source) => !isRemote(source))) {
    throw new CopyError("checksum can't be specified for non-HTTP(S) sources");
  }
  return {
    instruction,
    locals: sources.filter((source) => !isRemote(source)),
    remotes: sources.filter(isRemote),
    files,
    destination: byteString(isFolder && !joined.endsWith('/') ? `${joined}/` : joined),
    chown: instruction.chown === undefined ? undefined : word(instruction.chown),
    mode: chmod === undefined ? undefined : parseMode(chmod),
    modeText: chmod ?? '',
    excludes: instruction.excludes.flatMap((pattern) => cleanPattern(word(pattern))),
    checksum,
  };
}

/** Throws in BuildKit's words where a source names nothing. A pattern may match nothing. */
function findMatches(view: TreeView, { locals, instruction }: Expanded): Found['matches'] {
  return locals.flatMap((source) => {
    const { path, pivot } = instruction.parents ? splitPivot(source) : { path: source, pivot: undefined };
    const matches = matchSource(view, path, instruction.parents);
    if (matches.length === 0 && !/[*?[]/.test(source)) {
      throw new CopyError(
        `failed to compute cache key: failed to calculate checksum: "${posix.join('/', source)}": not found`,
      );
    }
    return matches.map((match) => ({ match, keepPath: pivot === undefined ? undefined : below(match.named, pivot) }));
  });
}

/** `a/./b/c`: with --parents `b/c` is what is kept; without a pivot all is. */
function splitPivot(source: string): { path: string; pivot: number } {
  const at = source.indexOf('/./');
  const depth =
    at < 0
      ? 0
      : source
          .slice(0, at)
          .split('/')
          .filter((name) => name !== '' && name !== '.').length;
  return { path: source, pivot: depth };
}

function below(path: string, depth: number): string {
  return path.split('/').slice(depth).join('/');
}

function checkDestination({ destination, locals, remotes, files, instruction }: Expanded, { matches }: Found): void {
  const count = Math.max(locals.length + remotes.length + files.length, matches.length);
  if (count <= 1 || destination.endsWith('/')) return;
  if (locals.length + remotes.length + files.length <= 1) return;
  throw new CopyError(
    `When using ${instruction.keyword.toUpperCase()} with more than one source file, the destination must be a directory and end with a /`,
  );
}

/** The entries of the layer; or, for its key, of what is copied: archives as they are, and onto nothing. */
async function planCopy(
  { session }: StageBuilder,
  { instruction, destination, mode, excludes, files }: Expanded,
  { view, matches, remotes }: Found,
  onto: 'key' | { readonly base: TreeView | undefined; readonly owner: CopyRules['owner'] },
): Promise<CopyPlan> {
  const now = session.request.epoch ?? Math.floor(Date.now() / 1000);
  const [base, owner] = onto === 'key' ? [] : [onto.base, onto.owner];
  // Several files need a folder to be put in, also where one pattern names them.
  const target = matches.length > 1 && !destination.endsWith('/') ? `${destination}/` : destination;
  const plan = new CopyPlan(base, { destination: target, owner, mode, excludes, now });
  const unpacks = onto !== 'key' && instruction.kind === 'add' && instruction.unpack !== false;
  for (const { match, keepPath } of matches) {
    const { node, named, path } = match;
    if (unpacks && node.kind === 'file' && isArchive(() => view.open(node, path), node.size)) {
      await addArchive(session.store, plan, () => view.open(node, path), text(named));
    } else {
      plan.copy(view, match, keepPath);
    }
  }
  for (const file of files) plan.putFile(file);
  for (const remote of remotes) await remote.addTo(plan, onto !== 'key' && instruction.unpack === true);
  return plan;
}
