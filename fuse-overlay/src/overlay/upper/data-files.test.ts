import { execFileSync } from 'node:child_process';
import { fstatSync, mkdtempSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { DataFiles } from './data-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'data-files-'));

afterAll(() => {
  rmSync(folder, { recursive: true });
});

test('the descriptor used last outlives the next one', () => {
  const files = new DataFiles(join(folder, 'two'), 2);
  for (const ino of [1, 2]) writeSync(files.create(ino), `${ino}`.repeat(ino));
  // The oldest of two, as the target of a copy; its source is opened next.
  const target = files.fd(1);
  const source = files.create(3);
  expect(source).not.toBe(target);
  expect(fstatSync(target).size).toBe(1);
  expect(fstatSync(files.fd(2)).size).toBe(2);
  files.close();
});

test('with more files than a process may have open, every one can be used', () => {
  const program = `
    import { DataFiles } from ${JSON.stringify(join(import.meta.dirname, 'data-files.ts'))};
    const layers = ['a', 'b'].map((name) => new DataFiles(${JSON.stringify(folder)} + '/' + name));
    for (let ino = 1; ino <= 200; ino++)
      for (const layer of layers) if (layer.create(ino) < 0) throw new Error('no descriptor for ' + ino);
    for (const layer of layers) if (layer.fd(1) < 0) throw new Error('no descriptor at last');
    console.log('done');`;
  const argv = ['-c', 'ulimit -n 100; exec "$@"', 'sh', process.execPath, '--no-warnings', '--input-type=module'];
  expect(execFileSync('sh', [...argv, '--eval', program], { encoding: 'utf8' })).toBe('done\n');
});
