/** `~/.docker/config.json`, which docker, podman, buildah and skopeo share with us. */
import { readFile } from 'node:fs/promises';
import { mkdirSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { writeFileAtomic } from '../../state/atomic-file.ts';
import { ImageError, reasonOf } from '../image-error.ts';
import { isObject, type JsonObject } from '../json.ts';

/** Docker Hub's key in the file, for historical reasons. */
const DOCKER_HUB_KEY = 'https://index.docker.io/v1/';

/** What the file and the helpers call a registry. */
export function serverKey(domain: string): string {
  return domain === 'docker.io' ? DOCKER_HUB_KEY : domain;
}

export function credentialsFile(env: NodeJS.ProcessEnv): string {
  return join(env['DOCKER_CONFIG'] ?? join(env['HOME'] ?? homedir(), '.docker'), 'config.json');
}

/** The file as it is; undefined where there is none. */
export async function readCredentialsFile(path: string): Promise<JsonObject | undefined> {
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

/** Replaces the file, readable by its owner alone, wherever a link at its place leads. */
export function writeCredentialsFile(path: string, config: JsonObject): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  let target = path;
  try {
    target = realpathSync(path);
  } catch {
    // There is none yet.
  }
  writeFileAtomic(target, `${JSON.stringify(config, undefined, '\t')}\n`, 0o600);
}

/** The helper that keeps a registry's credentials: `docker-credential-NAME`. */
export function helperOf(config: JsonObject, domain: string): string | undefined {
  const helpers = isObject(config['credHelpers']) ? config['credHelpers'] : {};
  const helper = helpers[serverKey(domain)] ?? helpers[domain] ?? config['credsStore'];
  return typeof helper === 'string' && helper !== '' ? helper : undefined;
}
