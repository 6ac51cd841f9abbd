/**
 * A terminal's display: a headline, a line for each step with its time, and below the steps that run the last lines that
 * they printed. It is drawn over and over in place; what has scrolled away is left alone.
 */
import type { Display, ProgressEvent, ShownStep } from './progress.ts';

interface Row extends ShownStep {
  state: 'runs' | 'done' | 'cached' | 'failed' | 'cancelled';
  ended: number | undefined;
  lines: string[];
  rest: string;
}

export interface Terminal {
  readonly rows: number;
  readonly columns: number;
  readonly colours: boolean;
  write(text: string): void;
  now(): number;
}

/** Lines of output shown below a step that runs. */
const TAIL = 6;
/** Milliseconds between two pictures. */
const PACE = 100;
const DIM = '\x1b[2m';
const BLUE = '\x1b[34m';
const RED = '\x1b[31m';
const YELLOW = '\x1b[33m';
const PLAIN = '\x1b[0m';

export class LiveDisplay implements Display {
  readonly #terminal: Terminal;
  readonly #rows = new Map<number, Row>();
  readonly #began: number;
  readonly #timer: NodeJS.Timeout;
  readonly #warnings: string[] = [];
  #drawn = 0;
  #ended = false;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    this.#began = terminal.now();
    terminal.write('\x1b[?25l');
    this.#timer = setInterval(() => this.#draw(), PACE);
  }

  show(step: ShownStep, event: ProgressEvent): void {
    let row = this.#rows.get(step.id);
    if (row === undefined) {
      row = { ...step, state: 'runs', ended: undefined, lines: [], rest: '' };
      this.#rows.set(step.id, row);
    }
    switch (event.kind) {
      case 'begin':
        return;
      case 'output': {
        const lines = (row.rest + event.data.toString('utf8')).split(/\r?\n|\r/);
        row.rest = lines.pop() ?? '';
        row.lines = [...row.lines, ...lines].slice(-TAIL);
        return;
      }
      case 'note':
        row.lines = [event.text];
        return;
      default:
        row.state = event.kind;
        row.ended = this.#terminal.now();
    }
  }

  warn(text: string): void {
    this.#warnings.push(text);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#timer);
    this.#draw();
    this.#terminal.write('\x1b[?25h');
    for (const warning of this.#warnings) this.#terminal.write(`\n${warning}\n`);
  }

  #draw(): void {
    const { rows, columns } = this.#terminal;
    const all = [...this.#rows.values()];
    const finished = all.filter(({ state }) => state !== 'runs').length;
    const state = this.#ended && finished === all.length ? ' FINISHED' : '';
    const head = `[+] Building ${this.#seconds(this.#began, undefined)}s (${finished}/${all.length})${state}`;
    const body = all.flatMap((row) => this.#lines(row, columns));
    // What does not fit goes at the top: the latest is what matters.
    const shown = [this.#paint(head, BLUE), ...(this.#ended ? body : body.slice(-Math.max(rows - 2, 1)))];
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : '';
    this.#terminal.write(`${up}${shown.map((line) => `\r\x1b[2K${line}\n`).join('')}\x1b[0J`);
    this.#drawn = shown.length;
  }

  #lines(row: Row, columns: number): string[] {
    const mark = { runs: '=>', done: '=>', cached: '=> CACHED', failed: '=> ERROR', cancelled: '=> CANCELED' }[
      row.state
    ];
    const time = `${this.#seconds(row.began, row.ended)}s`;
    const room = Math.max(columns - time.length - 2, 10);
    const name = ` ${mark} ${row.name}`.slice(0, room).padEnd(room);
    const colour = { runs: '', done: BLUE, cached: BLUE, failed: RED, cancelled: YELLOW }[row.state];
    const line = this.#paint(`${name} ${time}`, colour);
    if (row.state !== 'runs') return [line];
    const tail = [...row.lines, ...(row.rest === '' ? [] : [row.rest])].slice(-TAIL);
    return [line, ...tail.map((each) => this.#paint(` => => # ${clean(each)}`.slice(0, columns - 1), DIM))];
  }

  #paint(text: string, colour: string): string {
    return this.#terminal.colours && colour !== '' ? `${colour}${text}${PLAIN}` : text;
  }

  #seconds(from: number, to: number | undefined): string {
    return (((to ?? this.#terminal.now()) - from) / 1000).toFixed(1);
  }
}

/** What a program printed, without what would move the cursor. */
function clean(text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '').replace(/[\x00-\x1f\x7f]/g, ' ');
}
