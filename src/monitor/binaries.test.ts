import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { installRoot } from '../base/install.ts';

/** The compiler that the binaries in git were built with: another one may well make other code of the same source. */
const COMPILER = '12.2.0';

const compilers = ['x86_64-linux-gnu-gcc', 'aarch64-linux-gnu-gcc'];
const hasCompilers = compilers.every(
  (name) => (spawnSync(name, ['-dumpfullversion']).stdout as Buffer | null)?.toString().trim() === COMPILER,
);

test.skipIf(!hasCompilers)(
  `the binaries are what monitor.c compiles to (needs gcc ${COMPILER} for both machines)`,
  () => {
    const check = spawnSync('sh', [join(installRoot, 'scripts/build-monitor.sh'), '--check'], { encoding: 'utf8' });
    expect(check.stderr + check.stdout).toBe('');
    expect(check.status).toBe(0);
  },
);
