/**
 * kill -9 of everything of a build, at many moments: the store stays whole, nothing is left running, and the next build
 * goes on from the steps that were done.
 *
 * Runs as: user
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { openImageStore } from '../../src/image/image-store.ts';
import { verifyStore } from '../../src/image/testing/verify-store.ts';
import { makeContext } from '../helpers/build-context.ts';
import { useSandbox } from '../helpers/use-sandbox.ts';
import { waitFor } from '../helpers/wait-for.ts';

/** `TRUN_TEST_KILLS=100` for a long run. */
const KILLS = Number(process.env['TRUN_TEST_KILLS'] ?? 12);

const bed = useSandbox({ images: ['busybox'] });

test(`${KILLS} builds that are killed`, { timeout: 60_000 + KILLS * 10_000 }, async () => {
  const { box } = bed;
  const context = makeContext(box.folder, { file: 'content'.repeat(10_000) });
  function dockerfile(round: number): string {
    return [
      `FROM ${bed.image('busybox')} AS one`,
      `ENV ROUND=${round}`,
      'RUN mkdir /a && for i in 1 2 3 4 5 6 7 8 9; do echo $ROUND $i > /a/$i; done',
      `FROM ${bed.image('busybox')}`,
      `COPY file /round-${round}/`,
      'COPY --from=one /a /b',
      'RUN --mount=type=cache,target=/c echo x >> /c/x; cp -r /b /d; rm -r /b',
    ].join('\n');
  }
  const began = performance.now();
  await box.ok(['build', '-q', '-t', 'whole', '-f', '-', context], { input: dockerfile(0) });
  const length = performance.now() - began;

  for (let round = 1; round <= KILLS; round++) {
    const building = box.start(['build', '-q', '-t', 'whole', '-f', '-', context], { input: dockerfile(round) });
    // Spread over the time that a build takes, and once beyond.
    await sleep((length * round) / KILLS);
    building.process.kill('SIGKILL');
    await building.result;
  }
  await waitFor('the steps of killed builds to end', () => box.containerProcesses().length === 0);

  const store = openImageStore(join(box.root, 'images'));
  expect(verifyStore(store.layout)).toEqual([]);
  await box.ok(['build', '-q', '-t', 'last', '-f', '-', context], { input: dockerfile(KILLS) });
  expect(await box.ok(['run', '--rm', 'last', 'cat', '/d/9'])).toBe(`${KILLS} 9`);
  expect(readdirSync(join(box.root, 'builds/under-way'))).toEqual([]);
  expect(verifyStore(store.layout)).toEqual([]);

  await box.ok('builder prune -a -f');
  expect(await box.ok(['run', '--rm', 'last', 'cat', '/d/9'])).toBe(`${KILLS} 9`);
  expect(verifyStore(store.layout)).toEqual([]);
  expect(readdirSync(join(box.root, 'builds/cache'))).toEqual([]);
});
