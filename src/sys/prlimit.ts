import { native } from './koffi.ts';
import { check } from './system-error.ts';

const prlimit = native('prlimit', 'int', ['int', 'uint', 'void *', 'void *']);

/** Sets a limit of another process: prlimit(2). `limit` is a struct rlimit64. */
export function setProcessLimit(pid: number, resource: number, limit: Buffer): void {
  check(prlimit(pid, resource, limit, null), 'prlimit', String(pid));
}
