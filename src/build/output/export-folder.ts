/** `--output type=local`: a tree's files in a folder of the user's, as the user's. */
import {
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { readContent } from '../../image/layer/layer-tar.ts';
import { join, type TreeNode, type TreeView } from '../source/tree-view.ts';

/** Writes what is in a folder of the tree (its root by default) to `folder`, over what is there. Devices are left out. */
export function exportFolder(
  view: TreeView,
  folder: string,
  from: { readonly path: string; readonly node: TreeNode } = { path: '', node: view.root },
): void {
  const firstNames = new Map<string, Buffer>();
  writeFolder(from.node, from.path, Buffer.from(folder));

  function writeFolder(node: TreeNode, path: string, target: Buffer): void {
    for (const name of view.names(node, path)) {
      const child = view.child(node, path, name);
      if (child !== undefined)
        write(child, join(path, name), Buffer.concat([target, Buffer.from('/'), Buffer.from(name, 'latin1')]));
    }
  }

  function write(node: TreeNode, path: string, target: Buffer): void {
    // What a former export has left there is replaced, never followed.
    const there = lstatSync(target, { throwIfNoEntry: false });
    if (there !== undefined && !(there.isDirectory() && node.kind === 'directory'))
      rmSync(target, { recursive: true, force: true });
    if (node.kind === 'directory') {
      if (there?.isDirectory() !== true) mkdirSync(target, { mode: 0o700 });
      writeFolder(node, path, target);
      chmodSync(target, (node.mode & 0o1777) | 0o700);
      utimesSync(target, node.mtime, node.mtime);
    } else if (node.kind === 'symlink') {
      symlinkSync(Buffer.from(view.target(node), 'latin1'), target);
    } else if (node.kind === 'file') {
      const first = node.inode === undefined ? undefined : firstNames.get(node.inode);
      if (first !== undefined) return linkSync(first, target);
      if (node.inode !== undefined) firstNames.set(node.inode, target);
      writeFile(node, path, target);
    }
  }

  function writeFile(node: TreeNode, path: string, target: Buffer): void {
    const to = openSync(target, 'wx', 0o600);
    try {
      if (node.size > 0) {
        const content = view.open(node, path);
        try {
          for (const chunk of readContent(content, node.size)) {
            for (let at = 0; at < chunk.length;) at += writeSync(to, chunk, at);
          }
        } finally {
          closeSync(content);
        }
      }
    } finally {
      closeSync(to);
    }
    // The owner is the user, whom setuid bits would make of everybody.
    chmodSync(target, node.mode & 0o777);
    const time = node.mtime + node.mtimeNsec / 1e9;
    utimesSync(target, time, time);
  }
}
