/** Limits for real, in a guest with cgroup v2 and systemd: one boot, in which every script of inside/ runs. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { repository } from '../helpers/paths.ts';
import { runInGuest, unableToRun } from './guest.ts';
import { guestImage } from './image.ts';

const scripts = readdirSync(join(import.meta.dirname, 'inside')).filter((name) => /^\d/.test(name));

const reason =
  unableToRun() ??
  (existsSync(join(repository, 'dist/main.cjs')) ? undefined : 'trun is not built') ??
  (await imageProblem());

/** The image takes a mirror to make. */
async function imageProblem(): Promise<string | undefined> {
  try {
    await guestImage();
    return undefined;
  } catch (error) {
    return `the guest's image could not be made: ${(error as Error).message}`;
  }
}

describe('on a cgroup v2 host', () => {
  const outcomes = new Map<string, { status: number; output: string }>();

  beforeEach(({ skip }) => skip(reason !== undefined, reason));

  beforeAll(async () => {
    if (reason !== undefined) return;
    const { stdout, stderr } = await runInGuest(['sh', 'test/vm/inside/run-all.sh'], { seconds: 540 });
    for (const part of stdout.split(/^### /m).slice(1)) {
      const [, name, status, output] = /^(\S+) (\d+) \d+\n([\s\S]*)$/.exec(part) ?? [];
      outcomes.set(name!, { status: Number(status), output: output! });
    }
    expect(stderr).toBe('');
  }, 570_000);

  test.each(scripts)('%s', (name) => {
    const outcome = outcomes.get(name);
    if (outcome?.status !== 0) throw new Error(outcome?.output ?? 'did not run');
  });
});
