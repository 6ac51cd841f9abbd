/** Searching a registry: Docker Hub's index and what speaks its old protocol have a search; others may list what they have. */
import { ImageError } from '../image-error.ts';
import type { ImageStore } from '../image-store.ts';
import { isObject } from '../json.ts';
import { openRegistry } from './open-registries.ts';
import { RegistryClient } from './registry-client.ts';
import { RegistryError } from './registry-error.ts';
import { RegistrySession } from './registry-session.ts';

export interface SearchResult {
  readonly name: string;
  readonly description: string;
  readonly stars: number;
  readonly isOfficial: boolean;
}

const ANSWER_LIMIT = 8 * 1024 * 1024;
/** Where docker.io is searched. */
const HUB_INDEX = 'index.docker.io';

/** The best matches first. Throws UNAVAILABLE, UNAUTHORIZED, or UNSUPPORTED where the registry can't be searched. */
export async function searchRegistry(
  store: ImageStore,
  domain: string,
  term: string,
  limit: number,
): Promise<SearchResult[]> {
  const isHub = domain === 'docker.io';
  const session = isHub
    ? new RegistrySession(HUB_INDEX, { ...store.options.registry, env: store.options.env ?? process.env })
    : openRegistry(store, domain);
  try {
    const found = await searchIndex(session, term, limit);
    if (found) return isHub ? found : found.map((each) => ({ ...each, name: `${domain}/${each.name}` }));
    if (isHub) throw new ImageError('UNAVAILABLE', 'Docker Hub does not answer the search');
    const names = await new RegistryClient(session).listRepositories(undefined);
    return names
      .filter((name) => name.includes(term))
      .slice(0, limit)
      .map((name) => ({ name: `${domain}/${name}`, description: '', stars: 0, isOfficial: false }));
  } catch (error) {
    if (error instanceof RegistryError && error.status === 404) {
      throw new ImageError('UNSUPPORTED', `Registry ${domain} can neither be searched nor listed`, { cause: error });
    }
    throw error;
  } finally {
    session.close();
  }
}

/** `GET /v1/search`; undefined where the registry has no such thing. */
async function searchIndex(session: RegistrySession, term: string, limit: number): Promise<SearchResult[] | undefined> {
  return session.retrying(async () => {
    const query = new URLSearchParams({ q: term, n: String(limit) });
    const response = await session.request(
      { method: 'GET', target: `v1/search?${query.toString()}`, scope: '' },
      undefined,
    );
    if (response.status === 404 || response.status === 405) {
      response.body.resume();
      return undefined;
    }
    if (response.status !== 200) throw await session.failure(response, `Cannot search ${session.domain}`);
    const bytes = await session.read(response, ANSWER_LIMIT, 'The answer to a search');
    return parseResults(bytes, session.domain).slice(0, limit);
  }, undefined);
}

function parseResults(bytes: Buffer, domain: string): SearchResult[] {
  let answer: unknown;
  try {
    answer = JSON.parse(bytes.toString());
  } catch {
    // Said below.
  }
  const results = isObject(answer) ? answer['results'] : undefined;
  if (!Array.isArray(results)) throw new ImageError('UNAVAILABLE', `${domain} gave a malformed answer to the search`);
  return results.filter(isObject).map((each) => ({
    name: typeof each['name'] === 'string' ? each['name'] : '',
    description: typeof each['description'] === 'string' ? each['description'] : '',
    stars: typeof each['star_count'] === 'number' ? each['star_count'] : 0,
    isOfficial: each['is_official'] === true,
  }));
}
