import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/** How one test, or one phase that is no test, ended. */
export interface TestRecord {
  /** The user it ran as: user, nosub, root. */
  readonly stage: string;
  readonly file: string;
  readonly name: string;
  readonly state: 'passed' | 'failed' | 'skipped';
  /** Why it was skipped. */
  readonly reason?: string;
}

/** How long a phase took. */
interface PhaseRecord {
  readonly stage: string;
  readonly phase: string;
  readonly seconds: number;
  readonly passed: boolean;
}

export function append(file: string, record: TestRecord | PhaseRecord): void {
  appendFileSync(file, `${JSON.stringify(record)}\n`);
}

function group(tests: readonly TestRecord[]): Map<string, TestRecord[]> {
  return Map.groupBy(tests, ({ reason }) => reason ?? 'no reason given');
}

/** Prints times, skipped tests with their reasons, failed tests and the closing line. @returns the exit status */
export function summarize(file: string, print: (line: string) => void): number {
  const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  const records = lines.filter((line) => line !== '').map((line) => JSON.parse(line) as TestRecord | PhaseRecord);
  const phases = records.filter((record) => 'phase' in record);
  const tests = records.filter((record) => 'state' in record);
  const [passed, failed, skipped] = (['passed', 'failed', 'skipped'] as const).map((state) =>
    tests.filter((test) => test.state === state),
  ) as [TestRecord[], TestRecord[], TestRecord[]];
  print('');
  for (const { stage, phase, seconds, passed: good } of phases) {
    print(`${`${stage}: ${phase}`.padEnd(28)} ${seconds.toFixed(1).padStart(7)} s  ${good ? 'ok' : 'FAILED'}`);
  }
  for (const [reason, group_] of group(skipped)) {
    print(`\nskipped, since ${reason}:`);
    for (const { stage, file: source, name } of group_) print(`  ${stage}: ${source} > ${name}`);
  }
  if (failed.length > 0) print('\nfailed:');
  for (const { stage, file: source, name } of failed) print(`  ${stage}: ${source} > ${name}`);
  const isGood = failed.length === 0 && phases.every((phase) => phase.passed) && passed.length > 0;
  print(`\n${passed.length} passed, ${failed.length} failed, ${skipped.length} skipped`);
  return isGood ? 0 : 1;
}
