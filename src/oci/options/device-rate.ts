import { InvalidInput } from '../invalid-input.ts';
import { parseSize } from './size.ts';

/** A number that goes with a block device: a weight, or a rate a second. */
export interface DeviceNumber {
  /** Absolute path of the device on the host. */
  readonly device: string;
  readonly value: number;
}

/** Reads `/dev/sda:1mb` of `--device-read-bps` and `--device-write-bps`. Bytes a second. */
export function parseByteRate(text: string): DeviceNumber {
  return parse(
    text,
    (value) => parseSize(value),
    'Number must be a positive integer. Unit is optional and can be kb, mb, or gb',
  );
}

/** Reads `/dev/sda:1000` of `--device-read-iops` and `--device-write-iops`. Operations a second. */
export function parseOperationRate(text: string): DeviceNumber {
  return parse(text, (value) => (/^\d{1,10}$/.test(value) ? Number(value) : NaN), 'Number must be a positive integer');
}

/** Reads `/dev/sda:500` of `--blkio-weight-device`. */
export function parseDeviceWeight(text: string): DeviceNumber {
  const { device, value } = split(text);
  const weight = /^\d{1,4}$/.test(value) ? Number(value) : NaN;
  if (weight !== 0 && !(weight >= 10 && weight <= 1000)) throw new InvalidInput(`invalid weight for device: ${text}`);
  return { device, value: weight };
}

function parse(text: string, read: (value: string) => number, rule: string): DeviceNumber {
  const { device, value } = split(text);
  let number = NaN;
  try {
    number = read(value);
  } catch {
    // Told below.
  }
  if (!Number.isFinite(number)) {
    throw new InvalidInput(
      `invalid rate for device: ${text}. The correct format is <device-path>:<number>[<unit>]. ${rule}`,
    );
  }
  return { device, value: number };
}

function split(text: string): { device: string; value: string } {
  const [, device, value] = /^([^:]+):([^:]+)$/.exec(text) ?? [];
  if (device === undefined || value === undefined) throw new InvalidInput(`bad format: ${text}`);
  if (!device.startsWith('/dev/')) throw new InvalidInput(`bad format for device path: ${text}`);
  return { device, value };
}
