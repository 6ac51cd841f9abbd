import { spawn } from 'node:child_process';
import { ImageError } from '../image-error.ts';

const HELPER_OUTPUT_LIMIT = 1024 * 1024;

/**
 * Runs `docker-credential-NAME ACTION` (github.com/docker/docker-credential-helpers) with `input` on its stdin. Throws where it
 * cannot be run; what its status means is the caller's to know.
 */
export async function runHelper(
  name: string,
  action: 'get' | 'store' | 'erase',
  input: string,
  env: NodeJS.ProcessEnv,
): Promise<{ status: number; output: string }> {
  const program = `docker-credential-${name}`;
  if (name.includes('/'))
    throw new ImageError('INVALID', `Cannot ask credential helper ${program}: not a program's name`);
  const child = spawn(program, [action], { env, stdio: ['pipe', 'pipe', 'ignore'] });
  const { promise: exit, resolve, reject } = Promise.withResolvers<number>();
  child.on('error', (error: NodeJS.ErrnoException) => {
    const reason = error.code === 'ENOENT' ? 'it is not installed' : error.message;
    reject(new ImageError('UNAUTHORIZED', `Cannot run credential helper ${program}: ${reason}`, { cause: error }));
  });
  child.on('close', (code) => resolve(code ?? 1));
  // A helper that does not read its input is its own matter.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  let output = '';
  child.stdout.setEncoding('utf8');
  child.stdout.on('data', (chunk: string) => {
    output += chunk;
    if (output.length > HELPER_OUTPUT_LIMIT) child.kill();
  });
  return { status: await exit, output };
}
