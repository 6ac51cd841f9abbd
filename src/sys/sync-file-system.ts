import { native } from './koffi.ts';
import { check } from './system-error.ts';

const syncfs = native('syncfs', 'int', ['int']);

/** Waits until everything that has been written to the file system that `fd` lies on is on the disk: syncfs(2). */
export function syncFileSystem(fd: number): void {
  check(syncfs(fd), 'syncfs');
}
