import { native } from './koffi.ts';
import { TIOC } from './linux-constants.ts';

const ioctl = native('ioctl', 'int', ['int', 'ulong', 'void *']);

/** Sets a terminal's size, in characters (ioctl_tty(2)); its foreground processes get SIGWINCH. Nothing once it is closed. */
export function setWindowSize(fd: number, rows: number, columns: number): void {
  const size = Buffer.alloc(8);
  size.writeUInt16LE(rows & 0xffff, 0);
  size.writeUInt16LE(columns & 0xffff, 2);
  ioctl(fd, TIOC.SWINSZ, size);
}
