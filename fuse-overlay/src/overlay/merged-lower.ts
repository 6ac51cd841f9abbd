/**
 * Several directories as one lower layer, the first on top, by the rules of overlayfs: directories of one name are merged,
 * anything else hides what is below it, a whiteout (a character device 0:0, or a file `.wh.NAME`) hides and is not shown, and a
 * directory that is marked opaque is not merged with those below.
 */
import { DirectoryLayer } from '../layers/directory-layer.ts';
import type { ListVisitor, LowerLayer } from '../layers/lower-layer.ts';
import { Attributes, FileType } from '../server/attributes.ts';
import { ROOT_NODE, type ReadRoom } from '../server/file-system.ts';
import { Name } from '../server/name.ts';
import { errno } from '../sys/errors.ts';
import { opaqueMarker, whiteoutPrefix } from './whiteout-names.ts';

interface Part {
  /** Position in the list of layers. */
  readonly layer: number;
  readonly node: number;
}

interface MergedNode {
  /** The first is the file, or of a directory the one whose attributes show; each holds a reference of its layer. */
  parts: Part[];
  references: number;
}

/** Numbers of a layer on another device than the first layer's are moved up by this, for each device. */
const deviceStep = 2 ** 48;

export class MergedLower implements LowerLayer {
  readonly root: number = ROOT_NODE;
  readonly immutable = false;
  readonly identity: string;
  readonly #layers: readonly DirectoryLayer[];
  readonly #shifts: readonly number[];
  readonly #nodes = new Map<number, MergedNode>();
  readonly #byTop = new Map<string, number>();
  readonly #attributes = new Attributes();
  #next = ROOT_NODE + 1;

  /** `paths`: topmost first. Throws a system error. */
  constructor(paths: readonly string[]) {
    this.#layers = paths.map((path) => new DirectoryLayer(path));
    this.identity = this.#layers.map(({ identity }) => identity).join(' ');
    const devices = this.#layers.map(({ identity }) => identity.split(':')[1]!);
    this.#shifts = devices.map((device) => (devices.indexOf(device) % 15) * deviceStep);
    const parts: Part[] = [];
    for (const [layer, { root }] of this.#layers.entries()) {
      parts.push({ layer, node: root });
      if (this.#isOpaque({ layer, node: root })) break;
    }
    this.#nodes.set(ROOT_NODE, { parts, references: 1 });
  }

  lookup(directory: number, name: Name): number {
    return this.lookupWith(directory, name, this.#attributes);
  }

  lookupWith(directory: number, name: Name, out: Attributes): number {
    const parent = this.#nodes.get(directory);
    if (!parent) return -errno.ESTALE;
    const key = name.key();
    if (key.startsWith(whiteoutPrefix)) return -errno.ENOENT;
    const parts: Part[] = [];
    for (const { layer, node: parentNode } of parent.parts) {
      const attributes = parts.length === 0 ? out : this.#attributes;
      const node = this.#layers[layer]!.lookupWith(parentNode, name, attributes);
      if (node === -errno.ENOENT) {
        if (this.#has(layer, parentNode, whiteoutPrefix + key)) break;
        continue;
      }
      if (node < 0) return this.#giveBack(parts, node);
      const isDirectory = (attributes.mode & FileType.mask) === FileType.directory;
      if (isWhiteout(attributes) || (parts.length > 0 && !isDirectory)) {
        this.#layers[layer]!.forget(node, 1);
        break;
      }
      parts.push({ layer, node });
      if (parts.length === 1) out.ino += this.#shifts[layer]!;
      if (!isDirectory || this.#isOpaque({ layer, node })) break;
    }
    return parts.length === 0 ? -errno.ENOENT : this.#number(parts);
  }

  forget(id: number, count: number): void {
    const node = this.#nodes.get(id);
    if (!node || id === ROOT_NODE) return;
    node.references -= count;
    if (node.references > 0) return;
    this.#nodes.delete(id);
    this.#byTop.delete(topKey(node.parts));
    this.#giveBack(node.parts, 0);
  }

  getattr(id: number, out: Attributes): number {
    return this.#top(id, (layer, node, index) => {
      const result = layer.getattr(node, out);
      if (result === 0) out.ino += this.#shifts[index]!;
      return result;
    });
  }

  readdir(id: number, visit: ListVisitor): number {
    const directory = this.#nodes.get(id);
    if (!directory) return -errno.ESTALE;
    const seen = new Set<string>();
    for (const { layer, node } of directory.parts) {
      const names: { name: Buffer; key: string; type: number; ino: number }[] = [];
      const hidden: string[] = [];
      const result = this.#layers[layer]!.readdir(node, (name, type, ino) => {
        const key = name.toString('latin1');
        if (key.startsWith(whiteoutPrefix)) hidden.push(key.slice(whiteoutPrefix.length));
        else names.push({ name, key, type, ino });
      });
      if (result < 0) return result;
      for (const { name, key, type, ino } of names) {
        if (seen.has(key)) continue;
        seen.add(key);
        if (type === FileType.character && this.#isWhiteoutName(layer, node, name)) continue;
        visit(name, type, ino + this.#shifts[layer]!);
      }
      for (const key of hidden) seen.add(key);
    }
    return 0;
  }

  readlink(id: number): Buffer | number {
    return this.#top(id, (layer, node) => layer.readlink(node));
  }

  getxattr(id: number, name: Name): Buffer | number {
    return this.#top(id, (layer, node) => layer.getxattr(node, name));
  }

  listxattr(id: number): Buffer[] | number {
    return this.#top(id, (layer, node) => layer.listxattr(node));
  }

  open(id: number): number {
    return this.#top(id, (layer, node) => layer.open(node));
  }

  read(id: number, offset: number, out: ReadRoom, attempt: number): number {
    return this.#top(id, (layer, node) => layer.read(node, offset, out, attempt));
  }

  contentId(): undefined {
    return undefined;
  }

  close(): void {
    for (const layer of this.#layers) layer.close();
  }

  #top<T>(id: number, use: (layer: DirectoryLayer, node: number, index: number) => T): T | number {
    const part = this.#nodes.get(id)?.parts[0];
    return part ? use(this.#layers[part.layer]!, part.node, part.layer) : -errno.ESTALE;
  }

  /** The node of these parts, with one more reference; theirs are taken over or given back. */
  #number(parts: Part[]): number {
    const key = topKey(parts);
    const known = this.#byTop.get(key);
    if (known !== undefined) {
      this.#nodes.get(known)!.references++;
      this.#giveBack(parts, 0);
      return known;
    }
    const id = this.#next++;
    this.#nodes.set(id, { parts, references: 1 });
    this.#byTop.set(key, id);
    return id;
  }

  #giveBack(parts: readonly Part[], result: number): number {
    for (const { layer, node } of parts) this.#layers[layer]!.forget(node, 1);
    return result;
  }

  #has(layer: number, directory: number, key: string): boolean {
    // The last layer has nothing below that could be hidden.
    if (layer === this.#layers.length - 1 || key.length > 255) return false;
    const node = this.#layers[layer]!.lookup(directory, Name.fromKey(key));
    if (node > 0) this.#layers[layer]!.forget(node, 1);
    return node > 0;
  }

  #isOpaque({ layer, node }: Part): boolean {
    if (layer === this.#layers.length - 1) return false;
    return this.#layers[layer]!.isOpaque(node) || this.#has(layer, node, opaqueMarker);
  }

  #isWhiteoutName(layer: number, directory: number, name: Buffer): boolean {
    const node = this.#layers[layer]!.lookupWith(directory, new Name(name), this.#attributes);
    if (node < 0) return false;
    this.#layers[layer]!.forget(node, 1);
    return isWhiteout(this.#attributes);
  }
}

function isWhiteout({ mode, rdev }: Attributes): boolean {
  return (mode & FileType.mask) === FileType.character && rdev === 0;
}

function topKey(parts: readonly Part[]): string {
  const top = parts[0]!;
  return `${top.layer}:${top.node}`;
}
