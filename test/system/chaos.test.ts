/**
 * Lifecycle operations while trun's own processes are killed at random moments; afterwards records are true, every command
 * works, and nothing is left behind. On demand: TRUN_CHAOS=300 says how many operations, TRUN_CHAOS_SEED repeats a run's
 * choices.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { waitFor } from '../helpers/wait-for.ts';

const bed = useSandbox();
const operations = Number(process.env['TRUN_CHAOS'] ?? 0);
const seed = Number(process.env['TRUN_CHAOS_SEED'] ?? Date.now() % 1_000_000);

/** What whoever looks for the reason of a failure wants to see. */
function situation(): string {
  const run = join(bed.box.runtime, readdirSync(bed.box.runtime)[0]!);
  const log = readFileSync(join(run, 'agent.log'), 'utf8').split('\n').slice(-40).join('\n');
  const processes = bed.box.processes().map(({ pid, command }) => `${pid} ${command}`);
  return [log, ...processes, ...readdirSync(run), ...readdirSync(join(run, 'monitors'))].join('\n');
}

/** mulberry32: the same numbers for the same seed. */
function generator(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test(
  `kill -9 during ${operations} operations (seed ${seed})`,
  async () => {
    const random = generator(seed);
    const names = Array.from({ length: 6 }, (_, i) => `chaos-${i}`);
    function pick<T>(from: readonly T[]): T {
      return from[Math.floor(random() * from.length)]!;
    }
    const verbs: readonly ((name: string) => readonly string[])[] = [
      (name) => ['run', '-d', '--name', name, 'host', 'sleep', '1000'],
      (name) => ['run', '-d', '--name', name, '--restart', 'always', '-v', `${name}:/data`, 'host', 'sleep', '1000'],
      (name) => ['start', name],
      (name) => ['stop', '-t', '0', name],
      (name) => ['restart', '-t', '0', name],
      (name) => ['kill', name],
      (name) => ['pause', name],
      (name) => ['unpause', name],
      (name) => ['exec', name, 'true'],
      (name) => ['rm', '-f', name],
    ];
    let isOver = false;
    /** Kills whichever of trun's processes: agents, servers, holder, monitors and keepers alike. */
    async function killer(): Promise<void> {
      while (!isOver) {
        await sleep(50 + random() * 400);
        const own = bed.box
          .processes()
          .filter(
            ({ command }) =>
              /^(trun-(agent|monitor|image-server|network))|\.cjs/.test(command) && !command.includes('main.cjs'),
          );
        if (own.length === 0) continue;
        try {
          process.kill(pick(own).pid, 'SIGKILL');
        } catch {
          // Gone already.
        }
      }
    }
    const killing = killer();
    for (let done = 0; done < operations; done += 2) {
      // Two at a time. They may fail, for a name is taken or gone; they must end.
      await Promise.all([0, 1].map(() => bed.box.trun(pick(verbs)(pick(names)), { timeout: 60_000 })));
    }
    isOver = true;
    await killing;

    // Whoever comes next finds everything in order.
    await bed.box.ok(['run', '--rm', 'host', 'true'], { timeout: 60_000 }).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}\n${situation()}`);
    });
    const listed = (await bed.box.ok(['ps', '-a', '--format', '{{.Names}} {{.State}}']))
      .split('\n')
      .filter((line) => line !== '');
    for (const line of listed) {
      const [name, state] = line.split(' ') as [string, string];
      const pid = Number(await bed.box.inspect(name, '{{.State.Pid}}'));
      if (state === 'running' || state === 'paused') expect(existsSync(`/proc/${pid}`), `${name} runs`).toBe(true);
      else if (state !== 'restarting') expect(pid, `${name} does not run`).toBe(0);
    }
    await bed.box.removeContainers();
    for (const name of names) await bed.box.trun(['volume', 'rm', '-f', name]);

    // Nothing of any container: no process, folder, socket or draft.
    await waitFor('all containers’ processes to end', () => bed.box.containerProcesses().length === 0);
    expect(readdirSync(join(bed.box.root, 'containers'))).toEqual([]);
    expect(readdirSync(join(bed.box.root, 'volumes'))).toEqual([]);
    const run = join(bed.box.runtime, readdirSync(bed.box.runtime)[0]!);
    await waitFor('all monitors’ sockets to go', () => readdirSync(join(run, 'monitors')).length === 0);
  },
  60_000 + operations * 4000,
);
