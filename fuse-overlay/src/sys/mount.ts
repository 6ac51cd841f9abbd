/** mount(2) and umount2(2). */
import { bind, check } from './libc.ts';
import { allocate } from './memory.ts';
import { pathAddress } from './path.ts';

const c = {
  mount: bind('mount', 'int', ['pointer', 'pointer', 'pointer', 'size', 'pointer']),
  umount2: bind('umount2', 'int', ['pointer', 'int']),
};

export const MS_RDONLY = 1;
export const MS_NOSUID = 2;
export const MS_NODEV = 4;
export const MS_NOEXEC = 8;
export const MNT_DETACH = 2;

const text = allocate(8192);

export function mount(source: string, target: string, type: string, flags: number, data: string): number {
  let at = 0;
  const [typeAt, dataAt, targetAt] = [type, data, target].map((value) => {
    const start = at;
    if (Buffer.byteLength(value) + 1 > text.buffer.length - at) throw new RangeError('Mount options are too long');
    at += text.buffer.write(`${value}\0`, at);
    return text.address + start;
  }) as [number, number, number];
  return check(c.mount(pathAddress(source), targetAt, typeAt, flags, dataAt));
}

/** `flags`: MNT_DETACH. */
export function unmount(target: string, flags: number): number {
  return check(c.umount2(pathAddress(target), flags));
}
