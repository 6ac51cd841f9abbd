/** Names of a directory by getdents64(2). */
import { FileType } from '../server/attributes.ts';
import { check, syscall } from './libc.ts';
import { allocate } from './memory.ts';
import { seek } from './io.ts';

const SYS_getdents64 = { x64: 217, arm64: 61 }[process.arch as 'x64' | 'arm64'];

const memory = allocate(64 * 1024);
const view = new DataView(memory.buffer.buffer, memory.buffer.byteOffset, memory.buffer.length);

/** A name of a directory: `type` are file type bits of `st_mode`, 0 where the file system does not say. */
export interface DirectoryEntry {
  readonly name: Buffer;
  readonly type: number;
  readonly ino: number;
}

/** All names from the start, without `.` and `..`, or a negative errno. Changes the descriptor's position. */
export function readDirectory(fd: number): DirectoryEntry[] | number {
  const rewound = seek(fd, 0, 0);
  if (rewound < 0) return rewound;
  const entries: DirectoryEntry[] = [];
  for (;;) {
    const size = check(syscall(SYS_getdents64, fd, memory.address, memory.buffer.length, 0, 0, 0));
    if (size < 0) return size;
    if (size === 0) return entries;
    // struct linux_dirent64: u64 ino, s64 offset, u16 length of the record, u8 type (DT_*), name.
    for (let at = 0; at < size; at += view.getUint16(at + 16, true)) {
      const nameStart = at + 19;
      const nameEnd = memory.buffer.indexOf(0, nameStart);
      if (isDots(nameStart, nameEnd)) continue;
      entries.push({
        name: Buffer.from(memory.buffer.subarray(nameStart, nameEnd)),
        // DT_* are the type bits of st_mode, shifted (dirent.h, IFTODT).
        type: (memory.buffer[at + 18]! << 12) & FileType.mask,
        ino: view.getUint32(at, true) + (view.getUint32(at + 4, true) & 0x1fffff) * 0x1_0000_0000,
      });
    }
  }
}

function isDots(start: number, end: number): boolean {
  const dot = 0x2e;
  if (memory.buffer[start] !== dot) return false;
  return end === start + 1 || (end === start + 2 && memory.buffer[start + 1] === dot);
}
