/** Which display a build gets. */
import { LiveDisplay } from '../../build/display/live.ts';
import { PlainDisplay } from '../../build/display/plain.ts';
import type { Display } from '../../build/display/progress.ts';
import { RawJsonDisplay } from '../../build/display/raw-json.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import type { CommandContext } from '../command.ts';

const SILENT: Display = { show: () => undefined, warn: () => undefined, end: () => undefined };

export function openDisplay(kind: string, { stderr, env }: Pick<CommandContext, 'stderr' | 'env'>): Display {
  function write(text: string): void {
    stderr.write(text);
  }
  function now(): number {
    return performance.now();
  }
  switch (kind) {
    case 'quiet':
    case 'none':
      return SILENT;
    case 'rawjson':
      return new RawJsonDisplay(write);
    case 'plain':
      return new PlainDisplay({ write, now });
    case 'tty':
    case 'auto':
      break;
    default:
      throw new InvalidInput(`invalid progress mode ${kind}: use auto, plain, tty, quiet or rawjson`);
  }
  if (!stderr.isTTY && kind === 'tty') throw new InvalidInput('failed to get console: standard error is no terminal');
  if (!stderr.isTTY || env['TERM'] === 'dumb') return new PlainDisplay({ write, now });
  return new LiveDisplay({
    get rows() {
      return stderr.rows || 24;
    },
    get columns() {
      return stderr.columns || 80;
    },
    colours: env['NO_COLOR'] === undefined || env['NO_COLOR'] === '',
    write,
    now,
  });
}
