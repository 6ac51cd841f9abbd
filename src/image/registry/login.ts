/** Keeping credentials: proven against the registry first, then given to the helper that `~/.docker/config.json` names, or to it. */
import type { ImageStore } from '../image-store.ts';
import { ImageError } from '../image-error.ts';
import { isObject, type JsonObject } from '../json.ts';
import { credentialsFile, helperOf, readCredentialsFile, serverKey, writeCredentialsFile } from './credentials-file.ts';
import { runHelper } from './credential-helper.ts';
import { RegistrySession } from './registry-session.ts';

export interface Login {
  readonly domain: string;
  readonly username: string;
  readonly password: string;
}

/** Returns the file that holds the password readably, where no helper keeps it. Throws UNAUTHORIZED, UNAVAILABLE. */
export async function logIn(store: ImageStore, { domain, username, password }: Login): Promise<string | undefined> {
  const { env = process.env, insecureRegistries, registry } = store.options;
  const session = new RegistrySession(domain, {
    ...registry,
    ...(insecureRegistries && { insecureRegistries }),
    env,
    credentials: () => Promise.resolve({ kind: 'password', username, password }),
  });
  try {
    await session.retrying(() => session.login(undefined), undefined);
  } finally {
    session.close();
  }
  const path = credentialsFile(env);
  const config = (await readCredentialsFile(path)) ?? {};
  const helper = helperOf(config, domain);
  const server = serverKey(domain);
  if (helper === undefined) {
    const auth = Buffer.from(`${username}:${password}`).toString('base64');
    writeCredentialsFile(path, { ...config, auths: { ...authsOf(config), [server]: { auth } } });
    return path;
  }
  await tellHelper(helper, 'store', JSON.stringify({ ServerURL: server, Username: username, Secret: password }), env);
  // So that others find out that there is something.
  writeCredentialsFile(path, { ...config, auths: { ...authsOf(config), [server]: {} } });
  return undefined;
}

/** Returns whether there was anything to forget. */
export async function logOut(env: NodeJS.ProcessEnv, domain: string): Promise<boolean> {
  const path = credentialsFile(env);
  const config = await readCredentialsFile(path);
  if (!config) return false;
  const server = serverKey(domain);
  const auths = authsOf(config);
  const isKnown = Object.hasOwn(auths, server) || Object.hasOwn(auths, domain);
  const helper = helperOf(config, domain);
  if (helper !== undefined) await tellHelper(helper, 'erase', server, env);
  if (!isKnown) return helper !== undefined;
  const left = Object.fromEntries(Object.entries(auths).filter(([key]) => key !== server && key !== domain));
  writeCredentialsFile(path, { ...config, auths: left });
  return true;
}

async function tellHelper(
  helper: string,
  action: 'store' | 'erase',
  input: string,
  env: NodeJS.ProcessEnv,
): Promise<void> {
  const { status, output } = await runHelper(helper, action, input, env);
  // Having nothing to erase is no failure.
  if (status === 0 || action === 'erase') return;
  const said = output.trim().split('\n')[0] ?? '';
  throw new ImageError(
    'UNAUTHORIZED',
    `Credential helper docker-credential-${helper} could not store the credentials: ${said || `exit status ${status}`}`,
  );
}

function authsOf(config: JsonObject): JsonObject {
  return isObject(config['auths']) ? config['auths'] : {};
}
