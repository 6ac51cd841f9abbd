/** Makes the index of an image's tree from the lists of its layers. */
import { FileType } from '../server/attributes.ts';
import { readLayerList, writeFileAtomically } from './layer-list.ts';
import { MergedTree, type TreeNode } from './merged-tree.ts';
import {
  contentIdSize,
  noContent,
  treeArrays,
  treeFileSize,
  writeTreeHeader,
  type TreeArrays,
  type TreeCounts,
} from './tree-format.ts';

export interface MergeResult {
  readonly nodes: number;
  readonly entries: number;
  /** Distinct contents. */
  readonly contents: number;
  /** Bytes of all regular files, hard links counted once. */
  readonly bytes: number;
  /** Paths of hard links whose target is in no layer; they are left out. */
  readonly danglingLinks: readonly string[];
}

/** Merges layer lists, lowest first, and writes the tree to `outFile`, atomically. */
export function mergeLayers(lists: readonly string[], outFile: string): MergeResult {
  const tree = new MergedTree();
  const danglingLinks: string[] = [];
  for (const list of lists) {
    for (const path of tree.apply([...readLayerList(list)])) danglingLinks.push(path.toString('utf8'));
  }
  const numbering = number(tree.root);
  const { counts, nodes } = numbering;
  const memory = new ArrayBuffer(treeFileSize(counts));
  writeTreeHeader(memory, counts);
  fill(treeArrays(memory, counts), numbering);
  writeFileAtomically(outFile, [new Uint8Array(memory)]);
  return {
    nodes: counts.nodes,
    entries: counts.entries,
    contents: counts.contents,
    bytes: nodes.reduce((sum, node) => sum + (isFile(node) ? node.size : 0), 0),
    danglingLinks,
  };
}

interface Numbering {
  counts: TreeCounts;
  /** By position in the index. */
  nodes: TreeNode[];
  /** For each directory its position, and its names in the order of their bytes. */
  listings: { directory: number; names: string[] }[];
  contents: Map<string, number>;
}

/**
 * Numbers the nodes directory by directory, depth first, the names of one directory side by side: what a program that walks
 * a tree asks for one after the other lies together, in the index as in the order of the contents.
 */
function number(root: TreeNode): Numbering {
  const nodes: TreeNode[] = [root];
  const listings: Numbering['listings'] = [];
  const contents = new Map<string, number>();
  const counts = { nodes: 0, entries: 0, contents: 0, nameBytes: 0, targetBytes: 0, xattrBytes: 0 };
  root.index = 0;
  const pending = [root];
  for (let directory = pending.pop(); directory; directory = pending.pop()) {
    // latin1 keys: the order of UTF-16 units is the order of bytes.
    const names = [...directory.children!.keys()].sort((a, b) => (a < b ? -1 : 1));
    const subdirectories: TreeNode[] = [];
    for (const name of names) {
      const node = directory.children!.get(name)!;
      counts.nameBytes += name.length;
      node.links++;
      if (node.index < 0) {
        node.index = nodes.push(node) - 1;
        if (node.children) subdirectories.push(node);
      }
    }
    counts.entries += names.length;
    listings.push({ directory: directory.index, names });
    pending.push(...subdirectories.reverse());
  }
  for (const node of nodes) {
    counts.targetBytes += node.target?.length ?? 0;
    counts.xattrBytes += xattrSize(node);
    const key = node.contentId;
    if (key !== undefined && !contents.has(key)) contents.set(key, contents.size);
  }
  counts.nodes = nodes.length;
  counts.contents = contents.size;
  return { counts, nodes, listings, contents };
}

function fill(arrays: TreeArrays, { nodes, listings, contents }: Numbering): void {
  const nameBytes = Buffer.from(arrays.names.buffer, arrays.names.byteOffset, arrays.names.length);
  let entry = 0;
  let nameAt = 0;
  for (const { directory, names } of listings) {
    const { children } = nodes[directory]!;
    arrays.data[directory] = entry;
    arrays.size[directory] = names.length;
    for (const name of names) {
      const node = children!.get(name)!;
      arrays.entryName[entry] = nameAt;
      arrays.entryNode[entry++] = node.index;
      nameAt += nameBytes.write(name, nameAt, 'latin1');
      if (node.children) {
        arrays.parent[node.index] = directory;
        // A directory's links: its name, its `.`, and the `..` of each directory in it.
        nodes[directory]!.links++;
      }
    }
  }
  arrays.entryName[entry] = nameAt;
  for (const [key, index] of contents) arrays.contentIds.set(Buffer.from(key, 'latin1'), index * contentIdSize);

  const at = { target: 0, xattr: 0 };
  for (const [index, node] of nodes.entries()) fillNode(arrays, index, node, contents, at);
}

function fillNode(
  arrays: TreeArrays,
  index: number,
  node: TreeNode,
  contents: ReadonlyMap<string, number>,
  at: { target: number; xattr: number },
): void {
  if (!node.children) {
    arrays.size[index] = node.size;
    arrays.data[index] = node.contentId === undefined ? noContent : contents.get(node.contentId)!;
  }
  if (node.rdev !== 0) arrays.data[index] = node.rdev;
  if (node.target) {
    arrays.data[index] = at.target;
    arrays.targets.set(node.target, at.target);
    at.target += node.target.length;
  }
  arrays.mtime[index] = node.mtime;
  arrays.mtimeNsec[index] = node.mtimeNsec;
  arrays.mode[index] = node.mode;
  arrays.uid[index] = node.uid;
  arrays.gid[index] = node.gid;
  arrays.nlink[index] = node.children ? node.links + (index === 0 ? 2 : 1) : node.links;
  const size = xattrSize(node);
  if (size > 0) {
    arrays.xattrs[index] = at.xattr + 1;
    fillXattrs(arrays.xattrBytes, at.xattr, node);
    at.xattr += size;
  }
}

function xattrSize(node: TreeNode): number {
  if (node.xattrs.length === 0) return 0;
  return node.xattrs.reduce((sum, { name, value }) => sum + 8 + name.length + value.length, 4);
}

function fillXattrs(bytes: Uint8Array, start: number, node: TreeNode): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = buffer.writeUInt32LE(node.xattrs.length, start);
  for (const { name, value } of node.xattrs) {
    at = buffer.writeUInt32LE(name.length, at);
    at = buffer.writeUInt32LE(value.length, at);
    at += name.copy(buffer, at);
    at += value.copy(buffer, at);
  }
}

function isFile(node: TreeNode): boolean {
  return (node.mode & FileType.mask) === FileType.file;
}
