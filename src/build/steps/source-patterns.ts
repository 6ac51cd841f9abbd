/** The files that a source of COPY or ADD names, with Go's wildcards. */
import { posix } from 'node:path';
import { isPattern, patternExpression } from '../context/path-pattern.ts';
import { byteString, join, text, type TreeNode, type TreeView } from '../source/tree-view.ts';

export interface SourceMatch {
  /** Without links in it. */
  readonly path: string;
  readonly node: TreeNode;
  /** As it was named, before links were followed: what a file is called at its destination. */
  readonly named: string;
}

/** A source as it is looked for: relative to the root, nothing above it can be named. */
export function cleanSource(source: string): string {
  return byteString(posix.normalize(`/${source}`).replace(/^\/+/, '').replace(/\/+$/, ''));
}

/** Everything that a source names; none where there is no such thing. `deep`: `**` stands for any number of folders. */
export function matchSource(view: TreeView, source: string, deep: boolean): SourceMatch[] {
  const clean = cleanSource(source);
  if (!isPattern(text(clean))) {
    const found = view.resolve(clean);
    return found === undefined ? [] : [{ ...found, named: clean }];
  }
  const matches: SourceMatch[] = [];
  const names = text(clean).split('/');
  walk('', view.root, names);
  return distinct(matches).sort((a, b) => (a.named < b.named ? -1 : 1));

  function walk(path: string, folder: TreeNode, rest: readonly string[]): void {
    const [name, ...others] = rest;
    if (name === undefined) return;
    if (deep && name === '**') {
      walk(path, folder, others);
      for (const child of view.names(folder, path)) descend(path, folder, child, rest);
      return;
    }
    const expression = patternExpression(name, false);
    for (const child of view.names(folder, path)) {
      if (!expression.test(text(child))) continue;
      if (others.length === 0) add(join(path, child));
      else descend(path, folder, child, others);
    }
  }

  function descend(path: string, folder: TreeNode, name: string, rest: readonly string[]): void {
    const node = view.child(folder, path, name);
    if (node?.kind === 'directory') walk(join(path, name), node, rest);
    else if (node?.kind === 'symlink' && rest[0] !== '**') {
      const found = view.resolve(join(path, name));
      if (found?.node.kind === 'directory') walk(found.path, found.node, rest);
    }
  }

  function add(path: string): void {
    const found = view.resolve(path);
    if (found !== undefined && !view.isIgnored(path)) matches.push({ ...found, named: path });
  }
}

function distinct(matches: readonly SourceMatch[]): SourceMatch[] {
  return [...new Map(matches.map((match) => [match.named, match])).values()];
}
