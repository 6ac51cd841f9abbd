/** Starts a program of the bench as trun starts its servers: from one bundle, with the same flags of V8. */
import { execFileSync, spawn, type ChildProcessByStdio } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const root = join(import.meta.dirname, '../..');
const flags = ['--no-warnings', '--v8-pool-size=0', '--max-semi-space-size=2'];

/** Bundles a program of this folder into `out`. Sources that Node strips of their types would take memory for that. */
export function bundle(program: string, out: string): string {
  const definitions = ['dirname', 'filename'].map((name) => `--define:import.meta.${name}=__${name}`);
  execFileSync(
    join(root, 'node_modules/.bin/esbuild'),
    [
      join(import.meta.dirname, program),
      ...['--bundle', '--platform=node', '--format=cjs', '--conditions=source', '--log-level=error'],
      ...['--external:koffi', '--external:@koromix/*', ...definitions, `--outfile=${out}`],
    ],
    { stdio: 'inherit' },
  );
  return out;
}

/** Runs a bundle; standard input and output are pipes. With `profile` it writes a CPU profile to that folder. */
export function startServer(
  path: string,
  argv: readonly string[],
  profile?: string,
): ChildProcessByStdio<Writable, Readable, null> {
  const profiling = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-interval=200', `--cpu-prof-dir=${profile}`];
  return spawn(process.execPath, [...flags, ...profiling, path, ...argv], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NODE_PATH: join(root, 'node_modules') },
  });
}

/** Private memory in MB: what it has written to, without pages of files, which can be dropped and read again. */
export function privateMemory(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  return Number(/^Private_Dirty:\s+(\d+)/m.exec(rollup)?.[1]) / 1024;
}
