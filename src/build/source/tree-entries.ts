import { CopyPlan, type CopiedEntry } from '../steps/copy-files.ts';
import type { TreeView } from './tree-view.ts';

/** Everything in a tree as a layer over nothing. */
export function treeEntries(view: TreeView): CopiedEntry[] {
  const plan = new CopyPlan(undefined, { destination: '/', owner: undefined, mode: undefined, excludes: [], now: 0 });
  plan.copy(view, { path: '', node: view.root, named: '' });
  return plan.entries;
}
