import { describe, expect, test } from 'vitest';
import { excerpt } from './excerpt.ts';
import { LiveDisplay } from './live.ts';
import { PlainDisplay } from './plain.ts';
import { Progress } from './progress.ts';
import { RawJsonDisplay } from './raw-json.ts';

describe('plain', () => {
  function open() {
    let text = '';
    const display = new PlainDisplay({ write: (piece) => (text += piece), now: () => performance.now() });
    return { progress: new Progress(display), read: () => text.replaceAll(/\d+\.\d+/g, 'T') };
  }

  test('steps take turns, and say so', () => {
    const { progress, read } = open();
    const [one, two] = [progress.step('first'), progress.step('second')];
    one.output(1, Buffer.from('a\nb'));
    two.cached();
    one.output(2, Buffer.from('c\n'));
    one.done();
    expect(read()).toBe('#1 first\n#1 T a\n\n#2 second\n#2 CACHED\n\n#1 first\n#1 T bc\n#1 DONE Ts\n');
  });

  test('the last line needs no end, and a failure is kept with what led to it', () => {
    const { progress, read } = open();
    const step = progress.step('RUN x');
    step.output(1, Buffer.from('no newline'));
    step.fail('exit code: 1');
    progress.step('later').fail('because of the first');
    expect(read()).toContain('#1 T no newline\n#1 ERROR: exit code: 1\n');
    expect(progress.failed).toEqual({ name: 'RUN x', lines: ['no newline'] });
  });

  test('characters that a read cuts in two are put together', () => {
    const { progress, read } = open();
    const step = progress.step('x');
    const bytes = Buffer.from('aü€😀\n');
    for (const byte of bytes) step.output(1, Buffer.from([byte]));
    step.output(1, Buffer.from([0xff, 0x0a]));
    step.done();
    expect(read()).toBe('#1 x\n#1 T aü€😀\n#1 T \ufffd\n#1 DONE Ts\n');
  });

  test('a step that never began is not told', () => {
    const { progress, read } = open();
    progress.step('x').cancel();
    expect(read()).toBe('');
  });
});

test('for programs', () => {
  const lines: string[] = [];
  const progress = new Progress(new RawJsonDisplay((text) => lines.push(text)));
  const step = progress.step('RUN x');
  step.output(2, Buffer.from('said'));
  step.done();
  const documents = lines.map((line) => JSON.parse(line) as Record<string, Record<string, unknown>[]>);
  const [begun, said, done] = documents;
  expect(begun!['vertexes']![0]).toMatchObject({ name: 'RUN x', digest: expect.stringMatching(/^sha256:/) as string });
  expect(said!['logs']![0]).toMatchObject({ stream: 2, data: Buffer.from('said').toString('base64') });
  expect(done!['vertexes']![0]).toHaveProperty('completed');
});

test('on a terminal it is one line for each step, and no escape of a program gets through', () => {
  let text = '';
  const terminal = { rows: 10, columns: 40, colours: false, write: (piece: string) => (text += piece), now: () => 0 };
  const display = new LiveDisplay(terminal);
  const progress = new Progress(display);
  progress.step('done').done();
  const running = progress.step('running');
  running.output(1, Buffer.from('\x1b[2Jnasty\x07\n'));
  progress.end();
  // The cursor is hidden and shown again.
  expect(text.startsWith('\x1b[?25l')).toBe(true);
  expect(text.endsWith('\x1b[?25h')).toBe(true);
  expect(text).toContain(' => => # nasty ');
  expect(text).not.toContain('\x1b[2J');
  expect(text).toContain('(1/2)');
});

test('an excerpt marks all lines of the instruction', () => {
  const lines = ['FROM x', '', 'RUN a \\', '  b', 'CMD c', 'USER d', 'LABEL e=f'];
  expect(excerpt('Dockerfile', lines, { line: 3, column: 1 }, 4)).toEqual([
    'Dockerfile:3',
    '--------------------',
    '   1 |     FROM x',
    '   2 |',
    '   3 | >>> RUN a \\',
    '   4 | >>>   b',
    '   5 |     CMD c',
    '   6 |     USER d',
    '--------------------',
  ]);
  expect(excerpt('x', ['FROM'], { line: 1, column: 4 }, 1)[0]).toBe('x:1:4');
});
