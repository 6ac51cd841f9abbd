import { appendFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';
import type { TestRecord } from './records.ts';

/**
 * Appends one JSON line per test to the file that TRUN_TEST_RECORDS names. Vitest's own JSON report knows no reasons
 * of skipped tests.
 */
export default class RecordReporter implements Reporter {
  onTestModuleEnd(module: TestModule): void {
    const records: TestRecord[] = [];
    const file = relative(process.cwd(), module.moduleId);
    for (const test of module.children.allTests()) {
      const result = test.result();
      const reason = result.state === 'skipped' ? result.note : undefined;
      records.push({
        stage: process.env['TRUN_TEST_STAGE'] ?? '',
        file,
        name: test.fullName,
        // A test that never ran, since its file or its hooks failed, has not passed.
        state: result.state === 'pending' ? 'failed' : result.state,
        ...(reason === undefined ? {} : { reason }),
      });
    }
    const suites = [module, ...module.children.allSuites()];
    const errors = suites.flatMap((suite) => suite.errors().map(({ message }) => message));
    for (const message of errors) {
      records.push({
        stage: process.env['TRUN_TEST_STAGE'] ?? '',
        file,
        name: message.split('\n')[0]!,
        state: 'failed',
      });
    }
    const target = process.env['TRUN_TEST_RECORDS'];
    if (target !== undefined) appendFileSync(target, records.map((record) => `${JSON.stringify(record)}\n`).join(''));
  }
}
