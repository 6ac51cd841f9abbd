import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { openUrl } from '../../image/registry/open-url.ts';
import { InvalidInput } from '../../oci/invalid-input.ts';
import type { CommandContext } from '../command.ts';

/** An archive from a file, a URL or, for `-`, standard input. Throws where there is none. */
export async function openArchiveInput(context: CommandContext, source: string): Promise<AsyncIterable<Buffer>> {
  if (source === '-') return standardInput(context);
  if (/^https?:\/\//i.test(source)) return openUrl(new URL(source), context.env);
  const path = resolve(context.cwd, source);
  let file;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw new InvalidInput(`Cannot open ${source}: ${(error as Error).message}`);
  }
  if ((await file.stat()).isDirectory()) {
    await file.close();
    throw new InvalidInput(`Cannot read an archive from ${source}: it is a directory`);
  }
  return createReadStream('', { fd: file, highWaterMark: 256 * 1024 });
}

export function standardInput(context: CommandContext): AsyncIterable<Buffer> {
  if (context.stdin.isTTY)
    throw new InvalidInput('requested to read an archive from a terminal: use the -i flag or redirect');
  return context.stdin;
}
