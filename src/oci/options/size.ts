import { InvalidInput } from '../invalid-input.ts';

const UNITS = 'bkmgtp';

/** Bytes in a size such as `64m`, `1.5g`, `10kb`, `1GiB` or `1048576`: units are powers of 1024, as Docker's are. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?|\.\d+) ?([a-z]*)$/i.exec(text);
  if (match === null) throw new InvalidInput(`invalid size: '${text}'`);
  const [, number, suffix] = match as unknown as [string, string, string];
  const unit = /^(?:b|([kmgtp])(?:i?b)?|)$/i.exec(suffix);
  if (unit === null) throw new InvalidInput(`invalid suffix: '${suffix}'`);
  const bytes = Math.trunc(Number(number) * 1024 ** UNITS.indexOf((unit[1] ?? 'b').toLowerCase()));
  if (!Number.isSafeInteger(bytes)) throw new InvalidInput(`invalid size: '${text}'`);
  return bytes;
}
