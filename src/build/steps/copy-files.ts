/**
 * What COPY and ADD make of their sources: the entries of a layer. Nothing is copied here; contents are opened when the
 * layer is stored. The rules are BuildKit's:
 *
 * - the contents of a folder are copied, not the folder; a link as source is followed, links below it are copied
 * - a destination that ends with a slash, or is a folder, is where a file goes; else it is the file's new name
 * - folders above the destination are made with mode 0755 where they are missing
 * - links in the destination are followed, with the root of the image as a wall
 */
import { layerEntry, type LayerEntry } from 'fuse-overlay';
import { isLayerXattr } from '../../image/layer/layer-xattrs.ts';
import { IgnoreRules } from '../context/ignore-rules.ts';
import { byteString, join, text, type TreeNode, type TreeView } from '../source/tree-view.ts';
import type { ModeChange } from './file-mode.ts';
import type { SourceMatch } from './source-patterns.ts';

/** An entry, and its content. */
export interface CopiedEntry {
  readonly entry: LayerEntry;
  readonly open: (() => number) | undefined;
}

export interface CopyRules {
  /** Absolute, a slash at its end where one was written. */
  readonly destination: string;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly mode: ModeChange | undefined;
  readonly excludes: readonly string[];
  /** For folders that are made, in seconds. */
  readonly now: number;
}

/** A file that comes from no tree: a here-document, or what was downloaded. */
export interface LooseFile {
  readonly name: string;
  readonly mode: number;
  readonly mtime: number;
  readonly size: number;
  open(): number;
}

export class CopyError extends Error {}

/** The layer under construction over what is there already. */
export class CopyPlan {
  readonly #base: TreeView | undefined;
  readonly #rules: CopyRules;
  readonly #excludes: IgnoreRules;
  readonly #entries = new Map<string, CopiedEntry>();
  /** First path of each file with several names, by inode. */
  readonly #firstNames = new Map<string, string>();

  /** `base`: the tree that it is copied onto; absent: an empty one (scratch, or --link). */
  constructor(base: TreeView | undefined, rules: CopyRules) {
    this.#base = base;
    this.#rules = rules;
    this.#excludes = new IgnoreRules(rules.excludes);
  }

  /** In an order in which they can be laid on one after the other. */
  get entries(): CopiedEntry[] {
    return [...this.#entries.values()];
  }

  /** Copies a file, or the contents of a folder. `keepPath`: the path below the destination that it keeps (--parents). */
  copy(view: TreeView, { path, node, named }: SourceMatch, keepPath?: string): void {
    if (keepPath !== undefined) return this.#copyWithParents(view, path, node, keepPath);
    const name = named.slice(named.lastIndexOf('/') + 1);
    if (node.kind !== 'directory') {
      if (this.#excludes.ignores(text(name))) return;
      const target = this.#fileTarget(name);
      this.#put(view, node, path, target);
      return;
    }
    const target = this.#folderTarget(() => this.#folderEntry(view, node));
    this.#copyContents(view, path, node, target, '');
  }

  /** Puts a single file at the destination, or into it. */
  putFile(file: LooseFile): void {
    const target = this.#fileTarget(byteString(file.name));
    const { owner, mode } = this.#rules;
    const entry = layerEntry({
      path: Buffer.from(target, 'latin1'),
      type: 'file',
      mode: mode?.(file.mode, false) ?? file.mode,
      uid: owner?.uid ?? 0,
      gid: owner?.gid ?? 0,
      size: file.size,
      mtime: Math.floor(file.mtime),
    });
    this.#set(target, { entry, open: file.size > 0 ? () => file.open() : undefined });
  }

  /** Makes the destination a folder and returns its path: for what is unpacked into it. */
  destinationFolder(): string {
    return this.#folderTarget(undefined);
  }

  /** Adds an entry as it is, with the folders above it. `path`: below the destination. */
  addEntry(folder: string, copied: CopiedEntry): void {
    const { owner } = this.#rules;
    const path = join(folder, copied.entry.path.toString('latin1'));
    if (path === '') return;
    this.#makeFolders(path.slice(0, Math.max(path.lastIndexOf('/'), 0)));
    this.#set(path, { ...copied, entry: { ...copied.entry, ...owner, path: Buffer.from(path, 'latin1') } });
  }

  /** Makes a folder with those above it, where it is missing: WORKDIR. */
  makeFolder(path: string): void {
    this.#makeFolders(this.#resolve(path).path);
  }

  /** Where a file of that name goes. */
  #fileTarget(name: string): string {
    const { destination } = this.#rules;
    const isFolder = destination.endsWith('/');
    const found = this.#resolve(destination);
    if (isFolder || found.kind === 'directory') {
      if (found.kind !== undefined && found.kind !== 'directory') {
        throw new CopyError(`cannot copy to non-directory: ${text(destination)}`);
      }
      this.#makeFolders(found.path);
      return join(found.path, name);
    }
    this.#makeFolders(found.path.slice(0, Math.max(found.path.lastIndexOf('/'), 0)));
    return found.path;
  }

  /** Where a folder's contents go. A folder that is made for them alone is as `like` says. */
  #folderTarget(like: (() => Omit<CopiedEntry['entry'], 'path'>) | undefined): string {
    const { destination } = this.#rules;
    const found = this.#resolve(destination);
    if (found.kind !== undefined && found.kind !== 'directory') {
      throw new CopyError(`cannot copy to non-directory: ${text(destination)}`);
    }
    if (found.kind === undefined) {
      if (destination.endsWith('/') || like === undefined) this.#makeFolders(found.path);
      else {
        this.#makeFolders(found.path.slice(0, Math.max(found.path.lastIndexOf('/'), 0)));
        this.#set(found.path, { entry: { ...like(), path: Buffer.from(found.path, 'latin1') }, open: undefined });
      }
    }
    return found.path;
  }

  #copyContents(view: TreeView, path: string, node: TreeNode, target: string, below: string): void {
    for (const name of view.names(node, path)) {
      const inner = join(below, name);
      const source = join(path, name);
      const child = view.child(node, path, name);
      if (child === undefined) continue;
      const excluded = this.#excludes.ignores(text(inner));
      if (excluded && !(child.kind === 'directory' && this.#excludes.mayIncludeBelow(text(inner)))) continue;
      const to = join(target, name);
      if (child.kind !== 'directory') {
        this.#put(view, child, source, to);
        continue;
      }
      const there = this.#kindAt(to);
      if (there !== undefined && there !== 'directory')
        throw new CopyError(`cannot copy to non-directory: /${text(to)}`);
      if (!excluded && !view.isIgnored(source)) this.#putFolder(view, child, to);
      this.#copyContents(view, source, child, to, inner);
    }
  }

  #copyWithParents(view: TreeView, path: string, node: TreeNode, keepPath: string): void {
    const folder = this.#folderTarget(undefined);
    const names = keepPath.split('/').filter((name) => name !== '');
    // The folders on the way are as they are where they come from.
    const start = path === '' ? [] : path.split('/').slice(0, path.split('/').length - names.length);
    let [source, target, here] = [start.join('/'), folder, view.resolve(start.join('/'))?.node];
    const last = node.kind === 'directory' ? names.length : names.length - 1;
    for (const name of names.slice(0, last)) {
      here = here === undefined ? undefined : view.child(here, source, name);
      source = join(source, name);
      target = join(target, name);
      if (this.#kindAt(target) === 'directory') continue;
      if (here === undefined) this.#makeFolders(target);
      else this.#putFolder(view, here, target);
    }
    if (node.kind === 'directory') this.#copyContents(view, path, node, target, '');
    else if (!this.#excludes.ignores(text(names.at(-1) ?? '')))
      this.#put(view, node, path, join(target, names.at(-1)!));
  }

  #put(view: TreeView, node: TreeNode, source: string, target: string): void {
    if (this.#kindAt(target) === 'directory')
      throw new CopyError(`cannot overwrite directory with non-directory: /${text(target)}`);
    const first = node.inode === undefined ? undefined : this.#firstNames.get(node.inode);
    const entry = this.#entry(view, node, target);
    if (first !== undefined && this.#entries.has(first)) {
      const link = { ...entry, type: 'hardlink' as const, target: Buffer.from(first, 'latin1'), size: 0 };
      delete (link as { contentId?: Buffer }).contentId;
      return this.#set(target, { entry: link, open: undefined });
    }
    if (node.inode !== undefined) this.#firstNames.set(node.inode, target);
    this.#set(target, { entry, open: entry.size > 0 ? () => view.open(node, source) : undefined });
  }

  #putFolder(view: TreeView, node: TreeNode, target: string): void {
    this.#set(target, {
      entry: { ...this.#folderEntry(view, node), path: Buffer.from(target, 'latin1') },
      open: undefined,
    });
  }

  #folderEntry(view: TreeView, node: TreeNode): LayerEntry {
    return this.#entry(view, node, '');
  }

  #entry(view: TreeView, node: TreeNode, target: string): LayerEntry {
    const { owner, mode } = this.#rules;
    const isFile = node.kind === 'file';
    const contentId = isFile && node.size > 0 ? view.contentId(node) : undefined;
    return layerEntry({
      path: Buffer.from(target, 'latin1'),
      type: node.kind,
      mode: node.kind === 'symlink' ? 0o777 : (mode?.(node.mode, node.kind === 'directory') ?? node.mode),
      uid: owner?.uid ?? node.uid,
      gid: owner?.gid ?? node.gid,
      rdev: node.kind === 'character' || node.kind === 'block' ? node.rdev : 0,
      size: isFile ? node.size : 0,
      mtime: node.mtime,
      mtimeNsec: node.mtimeNsec,
      xattrs: view.xattrs(node).filter(({ name }) => isLayerXattr(name.toString('latin1'))),
      ...(node.kind === 'symlink' && { target: Buffer.from(view.target(node), 'latin1') }),
      ...(contentId && { contentId }),
    });
  }

  /** Makes the folder at a path without links in it, and those above. */
  #makeFolders(path: string): void {
    if (path === '') return;
    const kind = this.#kindAt(path);
    if (kind === 'directory') return;
    if (kind !== undefined) throw new CopyError(`cannot copy to non-directory: /${text(path)}`);
    this.#makeFolders(path.slice(0, Math.max(path.lastIndexOf('/'), 0)));
    const { owner, now } = this.#rules;
    const entry = layerEntry({
      path: Buffer.from(path, 'latin1'),
      type: 'directory',
      mode: 0o755,
      uid: owner?.uid ?? 0,
      gid: owner?.gid ?? 0,
      mtime: Math.floor(now),
    });
    this.#set(path, { entry, open: undefined });
  }

  #set(path: string, copied: CopiedEntry): void {
    // A later one of the same path counts, at a later place: what it links to may have come in between.
    this.#entries.delete(path);
    this.#entries.set(path, copied);
  }

  /** What is at a path without links in it, of this layer or below. */
  #kindAt(path: string): LayerEntry['type'] | undefined {
    if (path === '') return 'directory';
    const own = this.#entries.get(path);
    if (own !== undefined) return own.entry.type;
    const base = this.#base;
    if (base === undefined) return undefined;
    let node = base.root;
    let at = '';
    for (const name of path.split('/')) {
      const child = node.kind === 'directory' ? base.child(node, at, name) : undefined;
      if (child === undefined) return undefined;
      node = child;
      at = join(at, name);
    }
    return node.kind;
  }

  /** Follows the links of a destination, first below, then what this layer has put there. */
  #resolve(path: string): { path: string; kind: LayerEntry['type'] | undefined } {
    const base = this.#base?.follow(path) ?? { path: '', missing: cleanNames(path) };
    const whole = [base.path, ...base.missing].filter((name) => name !== '').join('/');
    return { path: whole, kind: this.#kindAt(whole) };
  }
}

function cleanNames(path: string): string[] {
  const names: string[] = [];
  for (const name of path.split('/')) {
    if (name === '..') names.pop();
    else if (name !== '' && name !== '.') names.push(name);
  }
  return names;
}
