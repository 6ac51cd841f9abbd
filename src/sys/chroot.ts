import { native } from './koffi.ts';
import { check } from './system-error.ts';

const chdir = native('chdir', 'int', ['str']);
const chroot = native('chroot', 'int', ['str']);

/** Makes a folder this process's root and working directory, for good: chroot(2). Needs CAP_SYS_CHROOT. */
export function enterRoot(path: string): void {
  check(chdir(path), 'chdir', path);
  check(chroot('.'), 'chroot', path);
  check(chdir('/'), 'chdir', '/');
}
