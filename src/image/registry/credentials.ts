/**
 * Credentials as `docker login` leaves them: `~/.docker/config.json` (`$DOCKER_CONFIG/config.json`) with `auths`, or the helper
 * programs that it names (github.com/docker/docker-credential-helpers: `docker-credential-NAME get`, server on stdin, JSON back).
 */
import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ImageError, reasonOf } from '../image-error.ts';
import { isObject, type JsonObject } from '../json.ts';

export type Credentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token. */
  | { readonly kind: 'identity'; readonly token: string };

/** Docker Hub's key in the file, for historical reasons. */
const DOCKER_HUB_KEY = 'https://index.docker.io/v1/';
const HELPER_OUTPUT_LIMIT = 1024 * 1024;
/** What helpers say on stdout where they have nothing. */
const NOT_IN_HELPER = 'credentials not found in native keychain';
/** The user name that marks a refresh token. */
const TOKEN_USER = '<token>';

/** Looks up what to say to a registry, or undefined: go without. `env` is the process' environment. */
export async function findCredentials(domain: string, env: NodeJS.ProcessEnv): Promise<Credentials | undefined> {
  const path = join(env['DOCKER_CONFIG'] ?? join(env['HOME'] ?? homedir(), '.docker'), 'config.json');
  const config = await readConfig(path);
  if (!config) return undefined;
  const key = domain === 'docker.io' ? DOCKER_HUB_KEY : domain;
  const helpers = isObject(config['credHelpers']) ? config['credHelpers'] : {};
  const helper = helpers[key] ?? helpers[domain] ?? config['credsStore'];
  if (typeof helper === 'string' && helper !== '') {
    const found = await askHelper(helper, key, env);
    if (found) return found;
  }
  return isObject(config['auths']) ? fromAuths(config['auths'], domain, key, path) : undefined;
}

async function readConfig(path: string): Promise<JsonObject | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new ImageError('INVALID', `Cannot read credentials from ${path}: ${reasonOf(error)}`, { cause: error });
  }
  try {
    const config: unknown = JSON.parse(text);
    if (isObject(config)) return config;
  } catch {
    // Said below.
  }
  throw new ImageError('INVALID', `Cannot read credentials from ${path}: it is not a JSON object`);
}

function fromAuths(auths: JsonObject, domain: string, key: string, path: string): Credentials | undefined {
  const entry = auths[key] ?? auths[domain] ?? Object.entries(auths).find(([each]) => bareHost(each) === domain)?.[1];
  if (!isObject(entry)) return undefined;
  const { identitytoken, auth, username, password } = entry;
  if (typeof identitytoken === 'string' && identitytoken !== '') return { kind: 'identity', token: identitytoken };
  if (typeof auth === 'string' && auth !== '') {
    const text = Buffer.from(auth, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    if (colon < 0)
      throw new ImageError('INVALID', `Cannot read credentials from ${path}: the entry of ${domain} is malformed`);
    return { kind: 'password', username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, '') };
  }
  if (typeof username !== 'string' || typeof password !== 'string') return undefined;
  return { kind: 'password', username, password };
}

/** Old entries are whole URLs: `https://ghcr.io/v1/` */
function bareHost(key: string): string {
  return key.replace(/^https?:\/\//, '').split('/')[0]!;
}

async function askHelper(name: string, server: string, env: NodeJS.ProcessEnv): Promise<Credentials | undefined> {
  const program = `docker-credential-${name}`;
  if (name.includes('/'))
    throw new ImageError('INVALID', `Cannot ask credential helper ${program}: not a program's name`);
  const { status, output } = await runHelper(program, server, env);
  if (status !== 0) {
    if (output.includes(NOT_IN_HELPER)) return undefined;
    const said = output.trim().split('\n')[0] ?? '';
    throw new ImageError(
      'UNAUTHORIZED',
      `Credential helper ${program} failed for ${server}: ${said || `exit status ${status}`}`,
    );
  }
  let answer: unknown;
  try {
    answer = JSON.parse(output);
  } catch {
    // Said below.
  }
  if (!isObject(answer) || typeof answer['Username'] !== 'string' || typeof answer['Secret'] !== 'string') {
    throw new ImageError('UNAUTHORIZED', `Credential helper ${program} gave a malformed answer for ${server}`);
  }
  const { Username: username, Secret: secret } = answer as { Username: string; Secret: string };
  if (secret === '') return undefined;
  return username === TOKEN_USER
    ? { kind: 'identity', token: secret }
    : { kind: 'password', username, password: secret };
}

async function runHelper(
  program: string,
  input: string,
  env: NodeJS.ProcessEnv,
): Promise<{ status: number; output: string }> {
  const child = spawn(program, ['get'], { env, stdio: ['pipe', 'pipe', 'ignore'] });
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
