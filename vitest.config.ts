import { defineConfig } from 'vitest/config';

const resolve = { conditions: ['source'] };
const ssr = { resolve: { conditions: ['source'], externalConditions: ['source'] } };

/**
 * `unit` needs no kernel feature and runs anywhere. `system` starts containers, each file with a state folder of its own, so
 * that two files may run at once. `guest` boots virtual machines.
 */
export default defineConfig({
  resolve,
  ssr,
  test: {
    projects: [
      {
        resolve,
        ssr,
        test: {
          name: 'unit',
          include: ['{src,fuse-overlay,netstack,scripts}/**/*.test.ts', 'test/{helpers,runner}/**/*.test.ts'],
          exclude: ['**/node_modules/**', '**/*.system.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'system',
          include: [
            'test/system/**/*.test.ts',
            'test/compat/**/*.test.ts',
            '{src,fuse-overlay,netstack}/**/*.system.test.ts',
          ],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          maxWorkers: 2,
        },
      },
      {
        resolve,
        ssr,
        test: {
          name: 'guest',
          include: ['test/vm/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
