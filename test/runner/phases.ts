import { spawn } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { append } from './records.ts';

/** As whom tests run: the ordinary user, one without subordinate ids, root. */
export type Stage = 'user' | 'nosub' | 'root';

interface Phase {
  readonly name: string;
  readonly command: readonly string[];
  /** Vitest records its tests itself. */
  readonly isVitest?: boolean;
  readonly minutes: number;
}

// A user that may not write to the checkout can run them, too.
const readonly = ['--configLoader=native', '--cache=false'];
const reporters = ['--reporter=default', '--reporter=./test/runner/reporter.ts'];

function vitest(project: string, files: readonly string[] = []): Phase {
  const command = ['vitest', 'run', '--project', project, '--passWithNoTests', ...readonly, ...reporters, ...files];
  return { name: project, command, isVitest: true, minutes: project === 'guest' ? 12 : 25 };
}

/** The phases that need nothing but a processor: they run beside the unit tests. */
const checks: readonly Phase[] = [
  { name: 'layers', command: ['node', 'scripts/check-layers.ts'], minutes: 1 },
  { name: 'eslint', command: ['eslint', '.'], minutes: 10 },
  { name: 'prettier', command: ['prettier', '--log-level', 'warn', '--check', '.'], minutes: 2 },
  { name: 'knip', command: ['knip', '--no-progress'], minutes: 2 },
  { name: 'types', command: ['tsc', '-b'], minutes: 3 },
];

const build: Phase = { name: 'build', command: ['node', 'scripts/build.ts'], minutes: 1 };
const fixtures: Phase = { name: 'fixtures', command: ['node', 'test/runner/make-fixtures.ts'], minutes: 6 };

/** A test file that names its stages (`Runs as: user, root, nosub`) runs in these; any other as the user alone. */
function stagesOf(file: string): readonly string[] {
  return /\bRuns as: ([a-z, ]+)/.exec(readFileSync(file, 'utf8'))?.[1]?.split(/[, ]+/) ?? ['user'];
}

function systemFiles(stage: Stage): string[] {
  return globSync(['test/{system,compat}/**/*.test.ts', '{src,fuse-overlay,netstack}/**/*.system.test.ts'], {
    exclude: ['**/node_modules/**'],
  })
    .filter((file) => stagesOf(file).includes(stage))
    .sort();
}

function runPhase(phase: Phase, stage: Stage, records: string, isQuiet: boolean): Promise<void> {
  const started = performance.now();
  const [file, ...args] = phase.command as [string, ...string[]];
  if (!isQuiet) console.log(`\n== ${stage}: ${phase.name}`);
  const output: Buffer[] = [];
  return new Promise((resolve) => {
    const child = spawn(file, args, {
      stdio: ['ignore', isQuiet ? 'pipe' : 'inherit', isQuiet ? 'pipe' : 'inherit'],
      env: { ...process.env, TRUN_TEST_RECORDS: records, TRUN_TEST_STAGE: stage },
    });
    child.stdout?.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => output.push(chunk));
    const timer = setTimeout(() => {
      console.log(`${phase.name} is ended: it took more than ${phase.minutes} min`);
      child.kill('SIGKILL');
    }, phase.minutes * 60_000);
    let isDone = false;
    function finish(passed: boolean): void {
      if (isDone) return;
      isDone = true;
      clearTimeout(timer);
      if (isQuiet) console.log(`\n== ${stage}: ${phase.name}\n${Buffer.concat(output).toString().trimEnd()}`);
      append(records, { stage, phase: phase.name, seconds: (performance.now() - started) / 1000, passed });
      if (phase.isVitest !== true) {
        append(records, {
          stage,
          file: phase.command.join(' '),
          name: phase.name,
          state: passed ? 'passed' : 'failed',
        });
      }
      resolve();
    }
    child.on('error', (error) => {
      console.log(error.message);
      finish(false);
    });
    child.on('exit', (code) => finish(code === 0));
  });
}

async function inTurn(phases: readonly Phase[], stage: Stage, records: string, isQuiet: boolean): Promise<void> {
  for (const phase of phases) await runPhase(phase, stage, records, isQuiet);
}

/**
 * Runs the phases of a stage; their outcome goes to `records`.
 * @param only the names of the phases to run, and parts of the paths of the system tests to run; empty: all
 */
export async function runStage(stage: Stage, records: string, only: readonly string[]): Promise<void> {
  const names = only.filter((word) => phaseNames.includes(word));
  const paths = only.filter((word) => !phaseNames.includes(word));
  function chosen(phases: readonly Phase[]): Phase[] {
    return phases.filter(({ name }) => names.length === 0 || names.includes(name));
  }
  const system = systemFiles(stage).filter((file) => paths.length === 0 || paths.some((path) => file.includes(path)));
  const tests = system.length > 0 ? [vitest('system', system)] : [];
  if (stage !== 'user') return inTurn(chosen(tests), stage, records, false);
  await inTurn(chosen([build]), stage, records, false);
  const beside = inTurn(chosen(checks), stage, records, availableParallelism() > 1);
  if (availableParallelism() === 1) await beside;
  await inTurn(chosen([vitest('unit'), fixtures]), stage, records, false);
  await beside;
  await inTurn(chosen([...tests, vitest('guest')]), stage, records, false);
}

/** The names that `runStage` knows. */
export const phaseNames = [build, ...checks, vitest('unit'), fixtures, vitest('system'), vitest('guest')].map(
  ({ name }) => name,
);
