/**
 * What idle containers cost: every process of trun's with its private memory, per container and per user; and how long
 * one start after the other takes, beside as many of podman's where `--podman` is given (one fleet after the other, as an ordinary user).
 *
 *     node test/bench/idle.ts [CONTAINERS] [--podman]
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { imageReference, startImageRegistry } from '../helpers/images.ts';
import type { ProcessInfo } from '../helpers/processes.ts';
import { unmet } from '../helpers/requirements.ts';
import { Sandbox } from '../helpers/sandbox.ts';
import { PodmanPeer } from './podman-peer.ts';

const containers = Number(process.argv[2] ?? 10);
const withPodman = process.argv.includes('--podman');
const peers = withPodman ? (['ordinary-user', 'podman', 'crun'] as const) : [];
const reason = await unmet(['user-namespaces', 'docker-registry', 'skopeo', 'busybox', ...peers]);
if (reason !== undefined) {
  console.error(`This bench cannot run here: ${reason}`);
  process.exit(1);
}

/** Memory that only this process has, in KB: what would be free if it ended (proc(5), smaps_rollup). */
function privateKilobytes(pid: number): number | undefined {
  try {
    const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    return [...rollup.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)].reduce(
      (sum, [, size]) => sum + Number(size),
      0,
    );
  } catch {
    return undefined;
  }
}

await using registry = await startImageRegistry(['busybox']);
await using box = new Sandbox();
const image = imageReference(registry, 'busybox');
await box.ok(['pull', '-q', image]);

/** The processes outside of containers: the containers' own memory is theirs. */
function ownProcesses(): ProcessInfo[] {
  const inside = new Set(box.containerProcesses().map(({ pid }) => pid));
  return box.processes().filter(({ pid }) => !inside.has(pid));
}

const words = ['run', '-d', image, 'sleep', '100000'];
const started = { trun: 0, podman: 0 };
{
  await using podman = withPodman ? new PodmanPeer(box) : undefined;
  await podman?.pull(image);
  for (let index = 0; index < containers && podman !== undefined; index++) {
    const begin = performance.now();
    await podman.ok(...words);
    started.podman += performance.now() - begin;
  }
}
await box.ok(words);
await sleep(2000);
const first = new Set(ownProcesses().map(({ pid }) => pid));
for (let index = 1; index < containers; index++) {
  const begin = performance.now();
  await box.ok(words);
  started.trun += performance.now() - begin;
}
await sleep(5000);

const rows = ownProcesses().map((each) => ({ ...each, kilobytes: privateKilobytes(each.pid) }));
const perContainer = rows.filter(({ pid }) => !first.has(pid));
console.log(`${containers} idle containers; private memory in KB`);
for (const { pid, command, kilobytes } of rows) {
  const scope = first.has(pid) ? 'user' : 'container';
  console.log(
    `${scope.padEnd(10)} ${String(kilobytes ?? 'unreadable').padStart(10)} ${String(pid).padStart(8)} ${command.slice(0, 90)}`,
  );
}
function sum(of: readonly { kilobytes: number | undefined }[]): number {
  return of.reduce((total, { kilobytes }) => total + (kilobytes ?? 0), 0);
}
// The first container's processes are among the first ones: the other containers say what each costs.
const each = containers > 1 ? sum(perContainer) / (containers - 1) : 0;
console.log(
  `each further container: ${each.toFixed(0)} KB in ${(perContainer.length / Math.max(1, containers - 1)).toFixed(1)} processes`,
);
console.log(
  `per user: ${(sum(rows) - each * containers).toFixed(0)} KB in ${first.size} processes, with the first container's`,
);
function mean(of: number, count: number): string {
  return `${(of / Math.max(1, count)).toFixed(0)} ms`;
}
console.log(`a start, one after the other: trun ${mean(started.trun, containers - 1)}`);
if (withPodman) console.log(`a start, one after the other: podman ${mean(started.podman, containers)}`);
await box.ok(['rm', '-f', ...(await box.ok('ps -q')).split('\n')]);
