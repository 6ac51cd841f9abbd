/** Files mapped into memory. */
import { bind, check } from './libc.ts';
import { viewMemory } from './memory.ts';

const mmap = bind('mmap', 'offset', ['pointer', 'size', 'int', 'int', 'int', 'offset']);
const munmap = bind('munmap', 'int', ['pointer', 'size']);

const PROT_READ = 1;
const MAP_SHARED = 1;

export interface Mapping {
  readonly memory: ArrayBuffer;
  /** After it every access to `memory` is a crash. */
  unmap(): void;
}

/** Maps the first `size` bytes of a file for reading, or gives a negative errno. Writing to the memory is a crash. */
export function mapFile(fd: number, size: number): Mapping | number {
  const address = check(mmap(0, size, PROT_READ, MAP_SHARED, fd, 0));
  if (address < 0) return address;
  return { memory: viewMemory(address, size), unmap: () => void munmap(address, size) };
}
