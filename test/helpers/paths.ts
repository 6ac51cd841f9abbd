import { homedir } from 'node:os';
import { join } from 'node:path';

export const repository = join(import.meta.dirname, '../..');

/** The launcher script under test. */
export const launcher = join(repository, 'bin/trun');

/** Where fixtures that take long to make are kept from one run to the next. Only its owner writes there. */
export const cacheFolder = process.env['TRUN_TEST_CACHE'] ?? join(homedir(), '.cache/trun-test');
