import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { LayerState, PullEvent } from '../../image/pull/pull-events.ts';
import { openPullProgress } from './pull-progress.ts';

function layer(id: string, state: LayerState, current?: number, total = 1000): PullEvent {
  return { kind: 'layer', id, state, ...(current !== undefined && { current, total }) };
}

const start: PullEvent = { kind: 'start', reference: 'bookworm', repository: 'library/debian' };

/** What a terminal of this size shows after the writes, line by line; knows what the screen uses. */
function show(writes: readonly string[]): string[] {
  const lines: string[] = [''];
  let row = 0;
  // eslint-disable-next-line no-control-regex
  for (const [piece] of writes.join('').matchAll(/\x1b\[[0-9]*[AKJ]|\r|\n|[^\x1b\r\n]+/g)) {
    if (piece === '\r') continue;
    if (piece === '\n') lines[++row] ??= '';
    else if (piece.endsWith('A') && piece.startsWith('\x1b')) row -= Number(piece.slice(2, -1));
    else if (piece === '\x1b[J') lines.splice(row, Infinity, '');
    else if (piece !== '\x1b[K') lines[row] = piece;
    if (row < 0) throw new Error('above the screen');
  }
  return lines.filter((line) => line !== '');
}

describe('elsewhere than on a terminal', () => {
  test('a line for each change of state', () => {
    const writes: string[] = [];
    const { onEvent, end } = openPullProgress({ write: (text) => writes.push(text) });
    onEvent(start);
    onEvent(layer('aaa', 'Pulling fs layer'));
    onEvent(layer('aaa', 'Downloading', 10));
    onEvent(layer('aaa', 'Download complete'));
    onEvent({ kind: 'notice', text: 'Something to know' });
    onEvent(layer('aaa', 'Extracting', 10));
    onEvent(layer('aaa', 'Pull complete'));
    end();
    expect(writes.join('')).toBe(
      [
        'bookworm: Pulling from library/debian',
        'aaa: Pulling fs layer',
        'aaa: Download complete',
        'Something to know',
        'aaa: Pull complete',
        '',
      ].join('\n'),
    );
  });
});

describe('on a terminal', () => {
  let writes: string[];

  beforeEach(() => {
    writes = [];
    vi.useFakeTimers();
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  function open(columns: number, rows: number): ReturnType<typeof openPullProgress> {
    return openPullProgress({ isTTY: true, columns, rows, write: (text) => writes.push(text) });
  }

  test('a line for each layer, redrawn in place', () => {
    const { onEvent, end } = open(100, 24);
    onEvent(start);
    onEvent(layer('aaa', 'Pulling fs layer'));
    onEvent(layer('bbb', 'Already exists'));
    vi.advanceTimersByTime(100);
    expect(show(writes)).toEqual([
      'bookworm: Pulling from library/debian',
      'aaa: Pulling fs layer',
      'bbb: Already exists',
    ]);
    onEvent(layer('aaa', 'Downloading', 500));
    vi.advanceTimersByTime(100);
    expect(show(writes)[1]).toBe(`aaa: Downloading [${'='.repeat(20)}>${' '.repeat(19)}]  500B/1kB`);
    onEvent({ kind: 'notice', text: 'Something to know' });
    expect(show(writes)).toHaveLength(4);
    onEvent(layer('aaa', 'Pull complete'));
    end();
    expect(show(writes)).toEqual([
      'bookworm: Pulling from library/debian',
      'Something to know',
      'aaa: Pull complete',
      'bbb: Already exists',
    ]);
  });

  test('no more often than eyes can follow', () => {
    const { onEvent } = open(100, 24);
    for (let step = 0; step < 1000; step++) onEvent(layer('aaa', 'Downloading', step));
    vi.advanceTimersByTime(1000);
    expect(writes.length).toBeLessThan(5);
  });

  test('on a narrow and low one nothing wraps or leaves the screen, and what is under way is seen', () => {
    const { onEvent, end } = open(30, 6);
    for (let each = 0; each < 20; each++) onEvent(layer(`layer${each}`, 'Pull complete'));
    onEvent(layer('active', 'Downloading', 1000));
    vi.advanceTimersByTime(100);
    end();
    const lines = show(writes);
    expect(lines).toHaveLength(4);
    expect(lines.at(-1)).toBe('active: Downloading 1kB/1kB');
    for (const line of lines) expect(line.length).toBeLessThan(30);
  });
});
