/** The cgroup room by itself: the way into a delegated scope, limits that hold, and nothing left behind. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerCgroup } from '../../../src/cgroup/container-cgroup.ts';
import { enterDelegatedScope, limitsSupport } from '../../../src/cgroup/enter-delegated-scope.ts';

const MB = 2 ** 20;

function ownCgroup(): string {
  return readFileSync('/proc/self/cgroup', 'utf8').trim();
}

/** A shell in `cgroup`, to be awaited. */
function shellIn(cgroup: ContainerCgroup, script: string) {
  return spawn('sh', ['-c', `echo 0 >${cgroup.procsPath}; ${script}`], { stdio: ['ignore', 'pipe', 'pipe'] });
}

const support = await limitsSupport();
assert.deepEqual({ ...support, controllers: [] }, { available: true, controllers: [], reason: '', mend: '' });
for (const name of ['cpu', 'memory', 'pids']) assert.ok(support.controllers.includes(name), name);
assert.match(ownCgroup(), /session-\d+\.scope$/, 'looking does not move us');

const child = spawn('sleep', ['60']);
const subtree = await enterDelegatedScope();
assert.match(subtree.path, /\/user@1000\.service\/.*trun\.scope$/);
assert.match(ownCgroup(), /\/trun\.scope\/agent$/);
assert.match(readFileSync(`/proc/${child.pid}/cgroup`, 'utf8'), /session-\d+\.scope$/m, 'nobody else moves');
child.kill();
const again = await enterDelegatedScope();
assert.equal(again.path, subtree.path);

// Another process of the user's, from the login session, joins the scope that runs.
const script = `import('./src/cgroup/enter-delegated-scope.ts').then(async ({ enterDelegatedScope }) => {
  const { path } = await enterDelegatedScope();
  console.log(path, (await import('node:fs')).readFileSync('/proc/self/cgroup', 'utf8').trim());
})`;
const joined = spawnSync('/usr/bin/systemd-run', ['--user', '--scope', '--quiet', process.execPath, '-e', script], {
  encoding: 'utf8',
});
assert.match(joined.stdout, /trun\.scope 0::.*\/trun\.scope\/agent$/m, joined.stderr);

// Memory.
const memory = subtree.createContainerCgroup('memory', { memory: 32 * MB });
assert.equal(memory.oomKills(), 0);
const hog = shellIn(memory, 'exec tail /dev/zero');
assert.deepEqual(await once(hog, 'exit'), [null, 'SIGKILL']);
assert.equal(memory.oomKills(), 1);
assert.equal(memory.stats().memory?.limit, 32 * MB);
assert.ok(memory.stats().cpu.usage > 0);

// Processes: as many as the limit lets be. A shell that may not fork ends, so it is 40-pids-and-cpus.sh that tries.
const pids = subtree.createContainerCgroup('pids', { pids: 10 });
const forks = shellIn(pids, 'for i in 1 2 3 4 5 6 7 8 9; do sleep 100 & done; wait');
for (let i = 0; i < 400 && pids.stats().pids?.current !== 10; i++) await sleep(50);
assert.deepEqual(pids.stats().pids, { current: 10, limit: 10 });
assert.equal(pids.processes().length, 10);

// Processor time: a loop is held back in every period.
const cpu = subtree.createContainerCgroup('cpu', { cpus: 0.1 });
const loop = shellIn(cpu, 'while :; do :; done');
await sleep(500);
const before = cpu.stats().cpu.usage;
const start = performance.now();
await sleep(2000);
const share = (cpu.stats().cpu.usage - before) / ((performance.now() - start) * 1000);
assert.ok(share > 0 && share < 0.2, `a limit of 0.1 gave ${share}`);

// Removal ends whatever runs, also in cgroups further down.
for (const cgroup of [cpu, pids, memory]) await cgroup.remove();
assert.ok(!existsSync(memory.path));
assert.deepEqual(subtree.containerCgroups(), []);
await memory.remove();
for (const process of [loop, forks])
  if (process.exitCode === null && process.signalCode === null) await once(process, 'exit');

// What the kernel refuses leaves no cgroup.
assert.throws(() => subtree.createContainerCgroup('bad', { memory: -5 }), { code: 'EINVAL' });
assert.ok(!existsSync(`${subtree.path}/bad`));
