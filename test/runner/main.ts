/**
 * `npm test`: lint, types, layers, unit, system and guest tests, with the time of each, every skipped test with its
 * reason, and a closing line. As root it prepares the machine first and runs the tests as an ordinary user.
 *
 *     node test/runner/main.ts [PHASE…] [PATH…]        all phases, or the named ones; the system tests of these paths
 *     node test/runner/main.ts --stage=S --records=F … one stage, as the current user (used from within)
 */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { killRun } from './leftovers.ts';
import { describeMissing } from './packages.ts';
import { type Stage, phaseNames, runStage } from './phases.ts';
import { append, summarize } from './records.ts';
import { runAsRoot } from './root-stage.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { stage: { type: 'string' }, records: { type: 'string' } },
});

// A word with a slash or a dot is part of a path.
const unknown = positionals.find((word) => !phaseNames.includes(word) && !/[./]/.test(word));
if (unknown !== undefined) {
  console.error(`No such phase: ${unknown} (there are ${phaseNames.join(', ')})`);
  process.exit(2);
}

if (values.stage !== undefined && values.records !== undefined) {
  await runStage(values.stage as Stage, values.records, positionals);
  process.exit(0);
}

const started = performance.now();
const folder = mkdtempSync(join(tmpdir(), 'trun-test-records-'));
const records = join(folder, 'records');
writeFileSync(records, '');
// Every process of this run carries this mark, wherever it strays.
process.env['TRUN_TEST_RUN'] = `${process.pid}-${Date.now()}`;

let isInterrupted = false;
function interrupt(): void {
  if (isInterrupted) return;
  isInterrupted = true;
  killRun(process.env['TRUN_TEST_RUN']!);
  process.exit(130);
}
process.on('SIGINT', interrupt);
process.on('SIGTERM', interrupt);

if (process.getuid!() === 0) {
  chmodSync(folder, 0o755);
  await runAsRoot(records, positionals);
} else {
  await runStage('user', records, positionals);
}
const left = killRun(process.env['TRUN_TEST_RUN']);
for (const line of left) console.log(`left running, and ended: ${line}`);
const missing = describeMissing();
if (missing.length > 0) console.log(['', ...missing].join('\n'));
append(records, { stage: 'all', phase: 'everything', seconds: (performance.now() - started) / 1000, passed: true });
const status = summarize(records, (line) => console.log(line));
rmSync(folder, { recursive: true, force: true });
process.exit(status);
