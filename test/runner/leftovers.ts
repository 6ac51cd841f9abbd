import { processesOf } from '../helpers/processes.ts';

/**
 * Ends every process that carries the mark of a test run.
 * @returns what was found, one line each
 */
export function killRun(mark: string): string[] {
  const found = processesOf(`TRUN_TEST_RUN=${mark}`).filter(({ pid }) => pid !== process.pid);
  for (const { pid } of found) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself meanwhile.
    }
  }
  return found.map(({ pid, command }) => `${pid} ${command}`);
}
