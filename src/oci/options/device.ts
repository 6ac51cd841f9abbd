import { posix } from 'node:path';
import { InvalidInput } from '../invalid-input.ts';

/** A device of the host shown in the container. Who may open it, its mode on the host says. */
export interface DeviceOption {
  /** Absolute path on the host; a folder stands for the devices in it. */
  readonly source: string;
  readonly target: string;
}

/** Reads `--device SOURCE[:TARGET][:rwm]`. */
export function parseDevice(text: string): DeviceOption {
  const parts = text.split(':');
  const permissions = parts.length > 1 && /^[rwm]+$/.test(parts.at(-1)!) ? parts.pop()! : 'rwm';
  const [source = '', target = source, ...more] = parts;
  if (more.length > 0 || new Set(permissions).size !== permissions.length) {
    throw new InvalidInput(`invalid device specification: ${text}`);
  }
  if (!source.startsWith('/') || !target.startsWith('/')) throw new InvalidInput(`bad format for path: ${text}`);
  const clean = posix.resolve(target);
  if (clean === '/' || clean === '/dev') throw new InvalidInput(`invalid device specification: ${text}`);
  return { source: posix.resolve(source), target: clean };
}

/** A device by its name in a CDI specification: `vendor.com/class=name`. */
export function isCdiName(text: string): boolean {
  return /^[a-zA-Z][\w.-]*\/[a-zA-Z][\w-]*=[\w.:-]+$/.test(text);
}
