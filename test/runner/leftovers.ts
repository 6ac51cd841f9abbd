import { readFileSync } from 'node:fs';
import { type ProcessInfo, listProcesses, processesOf } from '../helpers/processes.ts';

/**
 * Ends every process that carries the mark of a test run.
 * @returns what was found, one line each
 */
export function killRun(mark: string): string[] {
  return killAll(processesOf(`TRUN_TEST_RUN=${mark}`).filter(({ pid }) => pid !== process.pid));
}

function killAll(found: readonly ProcessInfo[]): string[] {
  for (const { pid } of found) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
  }
  return found.map(({ pid, command }) => `${pid} ${command}`);
}

function ownerOf(pid: number): number | undefined {
  try {
    return Number(/^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]);
  } catch {
    return undefined;
  }
}

/** Ends every process of a user that exists for these tests alone, as root. */
export function killUser(uid: number): string[] {
  return killAll(listProcesses().filter(({ pid }) => ownerOf(pid) === uid));
}
