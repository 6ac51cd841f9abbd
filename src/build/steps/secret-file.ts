/** Secrets: shown in the container as a file of its own owner and mode, and in no layer. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Holder } from '../../holder/holder.ts';
import type { SecretSource } from '../build-request.ts';
import { giveTo } from './give-to.ts';

/** More than BuildKit takes, which is 500 KiB. */
const LIMIT = 1 << 20;

/** Undefined where there is no such secret. Throws where it cannot be read. */
export function readSecret(source: SecretSource | undefined, env: Readonly<NodeJS.ProcessEnv>): Buffer | undefined {
  if (source === undefined) return undefined;
  if (source.kind === 'variable') {
    const value = env[source.name];
    return value === undefined ? undefined : Buffer.from(value);
  }
  const content = readFileSync(source.path);
  if (content.length > LIMIT) throw new Error(`secret ${source.path} is too big: at most ${LIMIT} bytes`);
  return content;
}

let count = 0;

/** The secret as a file in `folder`, until it is disposed of. */
export async function openSecret(
  holder: Holder,
  folder: string,
  content: Buffer,
  { mode, uid, gid }: { readonly mode: number; readonly uid: number; readonly gid: number },
): Promise<{ readonly path: string } & Disposable> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const path = join(folder, `secret-${++count}`);
  writeFileSync(path, content, { mode: 0o600 });
  await giveTo(holder, path, uid, gid, mode);
  return { path, [Symbol.dispose]: () => rmSync(path, { force: true }) };
}
