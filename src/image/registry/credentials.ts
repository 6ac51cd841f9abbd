/**
 * Credentials as `docker login` leaves them: `~/.docker/config.json` (`$DOCKER_CONFIG/config.json`) with `auths`, or the helper
 * programs that it names (github.com/docker/docker-credential-helpers: `docker-credential-NAME get`, server on stdin, JSON back).
 */
import { ImageError } from '../image-error.ts';
import { isObject, type JsonObject } from '../json.ts';
import { credentialsFile, helperOf, readCredentialsFile, serverKey } from './credentials-file.ts';
import { runHelper } from './credential-helper.ts';

export type Credentials =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token. */
  | { readonly kind: 'identity'; readonly token: string };

/** What helpers say on stdout where they have nothing. */
const NOT_IN_HELPER = 'credentials not found in native keychain';
/** The user name that marks a refresh token. */
const TOKEN_USER = '<token>';

/** Looks up what to say to a registry, or undefined: go without. `env` is the process' environment. */
export async function findCredentials(domain: string, env: NodeJS.ProcessEnv): Promise<Credentials | undefined> {
  const path = credentialsFile(env);
  const config = await readCredentialsFile(path);
  if (!config) return undefined;
  const key = serverKey(domain);
  const helper = helperOf(config, domain);
  if (helper !== undefined) {
    const found = await askHelper(helper, key, env);
    if (found) return found;
  }
  return isObject(config['auths']) ? fromAuths(config['auths'], domain, key, path) : undefined;
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
  const { status, output } = await runHelper(name, 'get', server, env);
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
