import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { checkFile, checkLayers } from './check-layers.ts';
import { type Layers, layers } from './layers.ts';

const packages = ['fuse-overlay', 'netstack'];
const [src, fuse, net] = layers as readonly [Layers, Layers, Layers];

/** The messages about one source file of one line each. */
function messages(rules: Layers, file: string, ...lines: string[]): string[] {
  return checkFile(rules, file, lines.join('\n'), packages).map(({ line, message }) => `${line}: ${message}`);
}

describe('the rooms of src', () => {
  test.each([
    ['cli', '../engine/containers.ts'],
    ['cli', '../agent/client.ts'],
    ['cli', '../agent/client/attach.ts'],
    ['agent', '../engine/containers.ts'],
    ['engine', '../image/pull.ts'],
    ['runtime', '../monitor/plan.ts'],
    ['network', '../monitor/plan.ts'],
    ['image', '../state/paths.ts'],
    ['sys', '../base/errors.ts'],
    ['base', './errors.ts'],
  ])('%s may import %s', (room, specifier) => {
    expect(messages(src, `src/${room}/file.ts`, `import { a } from '${specifier}';`)).toEqual([]);
  });

  test.each([
    ['cli', '../network/networks.ts', 'cli may not import network (../network/networks.ts)'],
    ['cli', '../agent/main.ts', 'cli may not import agent beyond agent/client'],
    ['cli', '../agent/clientele.ts', 'cli may not import agent beyond agent/client'],
    ['engine', '../agent/client.ts', 'engine may not import agent (../agent/client.ts)'],
    ['engine', '../cli/program.ts', 'engine may not import cli (../cli/program.ts)'],
    ['runtime', '../image/pull.ts', 'runtime may not import image (../image/pull.ts)'],
    ['runtime', '../network/driver.ts', 'runtime may not import network (../network/driver.ts)'],
    ['runtime', '../engine/run.ts', 'runtime may not import engine (../engine/run.ts)'],
    ['oci', '../sys/mount.ts', 'oci may not import sys (../sys/mount.ts)'],
    ['base', '../sys/mount.ts', 'base may not import sys (../sys/mount.ts)'],
    ['attic', '../base/errors.ts', 'the room attic is not in scripts/layers.ts'],
  ])('%s may not import %s', (room, specifier, message) => {
    expect(messages(src, `src/${room}/file.ts`, `import { a } from '${specifier}';`)).toEqual([`1: ${message}`]);
  });

  test('the entry file is a room of its own', () => {
    expect(messages(src, 'src/main.ts', `import './cli/program.ts';`)).toEqual([]);
    expect(messages(src, 'src/main.ts', `import './engine/run.ts';`)).toHaveLength(1);
  });

  test('a nested file counts for its room', () => {
    expect(messages(src, 'src/cli/output/table.ts', `import '../../engine/run.ts';`)).toEqual([]);
    expect(messages(src, 'src/cli/output/table.ts', `import '../program.ts';`)).toEqual([]);
    expect(messages(src, 'src/cli/output/table.ts', `import '../../sys/pty.ts';`)).toHaveLength(1);
  });

  test('names nothing in its map that the map does not define', () => {
    for (const allowed of Object.values(src.rooms!).flat()) expect(src.rooms).toHaveProperty([allowed.split('/')[0]!]);
  });

  test('is free of cycles', () => {
    const rooms = src.rooms!;
    function visit(room: string, path: string[]): void {
      expect(path, `${path.join(' -> ')} -> ${room}`).not.toContain(room);
      for (const next of rooms[room]!) visit(next.split('/')[0]!, [...path, room]);
    }
    for (const room of Object.keys(rooms)) visit(room, []);
  });
});

describe('every way to import counts', () => {
  test.each([
    `import type { A } from '../image/a.ts';`,
    `export * from '../image/a.ts';`,
    `export type { A } from '../image/a.ts';`,
    `const a = await import('../image/a.ts');`,
    `const a = require('../image/a.ts');`,
    `import '../image/a.ts';`,
  ])('%s', (line) => {
    expect(messages(src, 'src/runtime/file.ts', '', '/* .. */', line)).toEqual([
      '3: runtime may not import image (../image/a.ts)',
    ]);
  });

  test('a comment or a string is no import', () => {
    expect(
      messages(src, 'src/runtime/file.ts', `// import '../image/a.ts'`, `const s = "import '../image/a.ts'";`),
    ).toEqual([]);
  });
});

describe('packages', () => {
  test('only the named rooms import the libraries', () => {
    expect(messages(src, 'src/storage/a.ts', `import { mount } from 'fuse-overlay';`)).toEqual([]);
    expect(messages(src, 'src/network/a.ts', `import { stack } from 'netstack';`)).toEqual([]);
    expect(messages(src, 'src/engine/a.ts', `import { mount } from 'fuse-overlay';`)).toEqual([
      '1: engine may not import fuse-overlay (only build, image, storage, image-server may)',
    ]);
    expect(messages(src, 'src/storage/a.ts', `import { stack } from 'netstack';`)).toHaveLength(1);
  });

  test('and by name alone', () => {
    expect(messages(src, 'src/storage/a.ts', `import 'fuse-overlay/src/layers/index.ts';`)).toEqual([
      '1: fuse-overlay is imported by its name alone, not as fuse-overlay/src/layers/index.ts',
    ]);
    expect(messages(src, 'src/storage/a.ts', `import '../../fuse-overlay/src/index.ts';`)).toEqual([
      '1: storage may not reach outside its package (../../fuse-overlay/src/index.ts)',
    ]);
  });

  test('the libraries import neither src nor each other', () => {
    expect(messages(fuse, 'src/server/a.ts', `import { x } from 'netstack';`)).toEqual([
      '1: fuse-overlay may not import netstack',
    ]);
    expect(messages(net, 'src/tcp/a.ts', `import { x } from '../../../src/base/a.ts';`)).toEqual([
      '1: tcp may not reach outside its package (../../../src/base/a.ts)',
    ]);
    expect(messages(net, 'src/tcp/a.ts', `import { x } from '../wire/ipv4.ts';`)).toEqual([]);
  });

  test('koffi stays in sys', () => {
    for (const rules of [src, fuse, net]) {
      expect(messages(rules, 'src/sys/a.ts', `import koffi from 'koffi';`)).toEqual([]);
      expect(messages(rules, 'src/state/a.ts', `import koffi from 'koffi';`)).toEqual([
        '1: koffi belongs to sys/ alone, not to state',
      ]);
      expect(messages(rules, 'src/state/a.ts', `load(resolve('@koromix/koffi-linux-x64'));`)).toHaveLength(1);
    }
  });

  test('a pure room has no input and output', () => {
    expect(messages(src, 'src/oci/a.ts', `import { posix } from 'node:path';`)).toEqual([]);
    expect(messages(src, 'src/oci/a.ts', `import { readFileSync } from 'node:fs';`)).toEqual([
      '1: oci is pure and may not import node:fs',
    ]);
    expect(messages(src, 'src/image/a.ts', `import { readFileSync } from 'node:fs';`)).toEqual([]);
  });

  test('the version may be read from package.json', () => {
    expect(
      messages(src, 'src/cli/a.ts', `import description from '../../package.json' with { type: 'json' };`),
    ).toEqual([]);
  });
});

describe('a whole tree', () => {
  let root: string;
  beforeEach(() => (root = mkdtempSync(join(tmpdir(), 'layers-'))));
  afterEach(() => rmSync(root, { recursive: true }));

  function write(file: string, text: string): void {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), text);
  }

  test('reports file and line, in order, and passes over tests', () => {
    write('src/runtime/b.ts', `import '../base/a.ts';\nimport '../image/a.ts';\n`);
    write('src/runtime/b.test.ts', `import '../image/a.ts';\n`);
    write('src/base/a.ts', `import koffi from 'koffi';\n`);
    write('netstack/src/wire/a.ts', `\n\nimport 'fuse-overlay';\n`);
    expect(checkLayers(root)).toEqual([
      { file: 'src/base/a.ts', line: 1, message: 'koffi belongs to sys/ alone, not to base' },
      { file: 'src/runtime/b.ts', line: 2, message: 'runtime may not import image (../image/a.ts)' },
      { file: 'netstack/src/wire/a.ts', line: 3, message: 'netstack may not import fuse-overlay' },
    ]);
  });

  test('the repository itself keeps the rule', () => {
    expect(checkLayers(join(import.meta.dirname, '..'))).toEqual([]);
  });
});
