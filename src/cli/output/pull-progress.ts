/**
 * How a pull goes, as Docker shows it: on a terminal one line per layer with a bar, redrawn in place; elsewhere a line per change
 * of state.
 */
import type { LayerState, OnPullEvent, PullEvent } from '../../image/pull/pull-events.ts';
import { formatSize } from './size.ts';

/** What is needed of a stream; `process.stdout` and `process.stderr` have it. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
  write(text: string): unknown;
}

export interface PullProgress {
  readonly onEvent: OnPullEvent;
  /** Shows the last state. Call once the pull is over, well or badly, before anything else is printed. */
  readonly end: () => void;
}

type LayerEvent = Extract<PullEvent, { readonly kind: 'layer' }>;

/** Milliseconds between two drawings: more often nobody sees. */
const FRAME = 80;
const WIDEST_BAR = 50;
/** Room for a layer's id, its longest state, and two sizes around the bar. */
const TEXT_WIDTH = 60;

const finalStates: readonly LayerState[] = ['Pull complete', 'Already exists', 'Pushed', 'Layer already exists'];

function isFinal(state: LayerState): boolean {
  return finalStates.includes(state) || state.startsWith('Mounted from');
}

export function openPullProgress(output: ProgressOutput): PullProgress {
  return output.isTTY === true ? new ProgressScreen(output) : plainProgress(output);
}

function plainProgress(output: ProgressOutput): PullProgress {
  return {
    onEvent(event) {
      if (event.kind !== 'layer') output.write(`${headline(event)}\n`);
      // What comes with a position is a step on the way.
      else if (event.current === undefined) output.write(`${event.id}: ${event.state}\n`);
    },
    end: () => undefined,
  };
}

class ProgressScreen implements PullProgress {
  readonly #output: ProgressOutput;
  readonly #layers = new Map<string, LayerEvent>();
  #drawnLines = 0;
  #drawnAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(output: ProgressOutput) {
    this.#output = output;
  }

  readonly onEvent: OnPullEvent = (event) => {
    if (event.kind === 'layer') {
      this.#layers.set(event.id, event);
      this.#schedule();
      return;
    }
    // The lines of the layers stay below.
    this.#output.write(`${this.#goUp()}${this.#line(headline(event))}`);
    this.#drawnLines = 0;
    this.#draw();
  };

  readonly end = (): void => {
    this.#draw();
  };

  #schedule(): void {
    if (this.#timer) return;
    const wait = Math.max(this.#drawnAt + FRAME - performance.now(), 0);
    this.#timer = setTimeout(() => this.#draw(), wait);
    this.#timer.unref();
  }

  #draw(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#drawnAt = performance.now();
    const lines = this.#visible().map((event) => this.#line(layerText(event, this.#barWidth())));
    // Where there are fewer lines than before, the last ones are wiped.
    this.#output.write(`${this.#goUp()}${lines.join('')}\x1b[J`);
    this.#drawnLines = lines.length;
  }

  /** All layers where the screen has room for them; else those that are not done go first, as the cursor can't leave it. */
  #visible(): LayerEvent[] {
    const layers = [...this.#layers.values()];
    const room = Math.max((this.#output.rows ?? 24) - 2, 1);
    if (layers.length <= room) return layers;
    const active = layers.filter(({ state }) => !isFinal(state));
    const done = layers.filter(({ state }) => isFinal(state));
    return [...done, ...active].slice(-room);
  }

  #goUp(): string {
    return this.#drawnLines > 0 ? `\x1b[${this.#drawnLines}A` : '';
  }

  /** A longer line would wrap and be counted as one. */
  #line(text: string): string {
    return `\r${text.slice(0, this.#columns() - 1)}\x1b[K\n`;
  }

  #barWidth(): number {
    return Math.min(Math.max(this.#columns() - TEXT_WIDTH, 0), WIDEST_BAR);
  }

  #columns(): number {
    return Math.max(this.#output.columns ?? 80, 20);
  }
}

function headline(event: Exclude<PullEvent, LayerEvent>): string {
  if (event.kind === 'start') return `${event.reference}: Pulling from ${event.repository}`;
  return event.kind === 'push' ? `The push refers to repository [${event.repository}]` : event.text;
}

/** `3cf33a371877: Downloading [====>     ]  12.3MB/107MB` */
function layerText({ id, state, current, total }: LayerEvent, width: number): string {
  if (current === undefined || total === undefined || total === 0) return `${id}: ${state}`;
  const filled = Math.floor(Math.min(current / total, 1) * width);
  const bar = width > 5 ? `[${`${'='.repeat(filled)}>`.slice(0, width).padEnd(width)}]  ` : '';
  return `${id}: ${state} ${bar}${formatSize(current)}/${formatSize(total)}`;
}
