/**
 * create + start + delete of a bundle's container that ends at once, beside runc, interleaved. As root, for runc's and our
 * own way through all namespaces and cgroups; on a quiet machine:
 *
 *     node test/bench/oci.ts [ROUNDS]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeRootfs, ociLauncher } from '../helpers/oci-bundle.ts';
import { unmet } from '../helpers/requirements.ts';

const rounds = Number(process.argv[2] ?? 30);
const reason = await unmet(['root', 'busybox', 'runc']);
if (reason !== undefined) {
  console.error(`This bench cannot run here: ${reason}`);
  process.exit(1);
}

const bundle = mkdtempSync('/tmp/trun-bench-');
makeRootfs(join(bundle, 'rootfs'));
spawnSync('runc', ['spec', '--bundle', bundle]);
const config = JSON.parse(spawnSync('cat', [join(bundle, 'config.json')], { encoding: 'utf8' }).stdout) as {
  process: { terminal: boolean; args: string[] };
};
config.process.terminal = false;
config.process.args = ['true'];
writeFileSync(join(bundle, 'config.json'), JSON.stringify(config));

const STEPS = ['create', 'start', 'delete'] as const;
type Step = (typeof STEPS)[number];
const runtimes: Readonly<Record<string, string>> = { runc: 'runc', 'trun-oci': ociLauncher };
const times = new Map(Object.keys(runtimes).map((name) => [name, [] as Record<Step, number>[]]));

function call(runtime: string, step: Step, id: string): number {
  const args = step === 'create' ? [step, '--bundle', bundle, id] : [step, id];
  const started = performance.now();
  const { status } = spawnSync(runtime, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`${runtime} ${args.join(' ')} exited with ${status}`);
  return performance.now() - started;
}

try {
  for (let round = 0; round < rounds; round++) {
    for (const [name, runtime] of Object.entries(runtimes)) {
      const id = `bench-${name}-${round}`;
      const create = call(runtime, 'create', id);
      const start = call(runtime, 'start', id);
      // The program's own time, and that of whoever reaps it, are nobody's.
      await sleep(60);
      times.get(name)!.push({ create, start, delete: call(runtime, 'delete', id) });
    }
  }
} finally {
  rmSync(bundle, { recursive: true });
}

function total(round: Record<Step, number>): number {
  return STEPS.reduce((sum, step) => sum + round[step], 0);
}

function quantile(values: readonly number[], share: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * share)]!;
}

const columns = [0, 0.25, 0.5] as const;
console.log(`create + start + delete, ${rounds} interleaved rounds, in ms: min / p25 / median`);
for (const [name, all] of times) {
  const steps = STEPS.map(
    (step) =>
      `${step} ${quantile(
        all.map((round) => round[step]),
        0.5,
      ).toFixed(1)}`,
  ).join(', ');
  const shown = columns.map((share) => quantile(all.map(total), share).toFixed(1)).join(' / ');
  console.log(`${name.padEnd(9)} ${shown}   (medians: ${steps})`);
}
const [runc, ours] = [...times.values()].map((all) => columns.map((share) => quantile(all.map(total), share)));
console.log(`ratio     ${columns.map((_, i) => (ours![i]! / runc![i]!).toFixed(2)).join(' / ')}   (limit 2.5)`);
