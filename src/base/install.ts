/** Where this installation of trun lies: bundles, the monitor's binaries. */
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The folder with package.json, bin/ and dist/: above dist/ in a bundle, above src/base/ in the sources. */
export const installRoot = findRoot(import.meta.dirname);

function findRoot(from: string): string {
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'bin/trun'))) return folder;
    if (folder === dirname(folder)) throw new Error(`trun's installation is incomplete: no bin/trun above ${from}`);
  }
}

/** The processes of trun that run on Node, by the name of their bundle. */
export type ProcessName = 'main' | 'agent' | 'image-server' | 'network' | 'inside' | 'layer' | 'lazy';

/**
 * Flags of processes that stay: no helper threads for V8, which have next to nothing to do, and a young generation that
 * stays small, for most of what is allocated is dropped at once (a network process after bulk transfers: 28-42 MB private
 * instead of 54-74, at the same throughput). The collector can be called, for what `sys/release-memory.ts` says.
 */
const LASTING = ['--no-warnings', '--v8-pool-size=0', '--max-semi-space-size=2', '--expose-gc'];

/** Program and arguments of one of trun's lasting processes. */
export function lastingProcess(name: ProcessName, ...args: readonly string[]): [program: string, ...args: string[]] {
  return [process.execPath, ...LASTING, processEntry(name), ...args];
}

/** The bundle of one of trun's processes, to be run with `process.execPath`. */
export function processEntry(name: ProcessName): string {
  return join(installRoot, 'dist', `${name}.cjs`);
}

/** Tells one build of the agent from another: a process keeps what it was started from, whatever lies there by now. */
export function agentBuild(): string {
  const entry = processEntry('agent');
  const stat = statSync(entry, { throwIfNoEntry: false });
  return stat === undefined ? entry : `${entry} ${stat.ino} ${stat.mtimeMs} ${stat.size}`;
}

/** The monitor's binary for this machine. */
export function monitorBinary(): string {
  return join(installRoot, 'src/monitor/bin', `monitor-${process.arch}`);
}
