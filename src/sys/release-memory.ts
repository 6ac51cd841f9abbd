import { native } from './koffi.ts';

const mallocTrim = native('malloc_trim', 'int', ['size_t']);

/**
 * Gives back to the kernel what the process no longer uses: garbage, if Node runs with `--expose-gc`, and what the C library has
 * free (malloc_trim(3), where it has that function). Takes some 10 ms: for processes that have just become idle.
 */
export function releaseMemory(): void {
  globalThis.gc?.();
  try {
    mallocTrim(0);
  } catch {
    // A C library without it.
  }
}
