/**
 * A registry's pull side: OCI distribution-spec v1.1, "Pull". Every request is retried by the policy where the failure may pass;
 * what a digest names is checked against it before anybody sees it.
 */
import { digestOf, isDigest, type Digest } from '../digest.ts';
import { isObject } from '../json.ts';
import { MANIFEST_LIMIT, manifestTypes } from '../manifest.ts';
import type { HttpResponse } from './http.ts';
import { RegistryError } from './registry-error.ts';
import { RegistrySession } from './registry-session.ts';
import type { RetryPolicy } from './retry.ts';

export interface FetchedManifest {
  readonly bytes: Buffer;
  readonly digest: Digest;
  readonly contentType: string | undefined;
}

export interface OpenBlob {
  /** Where in the blob the stream begins: what was asked for, or 0 where the registry ignores ranges. */
  readonly start: number;
  readonly response: HttpResponse;
}

export class RegistryClient {
  readonly #session: RegistrySession;

  constructor(session: RegistrySession) {
    this.#session = session;
  }

  get domain(): string {
    return this.#session.domain;
  }

  get retryPolicy(): RetryPolicy {
    return this.#session.retryPolicy;
  }

  /** Fetches a manifest or index by tag or digest. `name`: the image as the user knows it, for errors. */
  async fetchManifest(
    repository: string,
    reference: string,
    name: string,
    signal: AbortSignal | undefined,
  ): Promise<FetchedManifest> {
    return this.#session.retrying(async () => {
      const response = await this.#manifestRequest('GET', repository, reference, name, signal);
      const bytes = await this.#session.read(response, MANIFEST_LIMIT, `The manifest of ${name}`);
      const digest = digestOf(bytes);
      const stated = isDigest(reference) ? reference : response.headers['docker-content-digest'];
      if (isDigest(stated) && stated !== digest) {
        throw new RegistryError(
          'DAMAGED',
          `manifest verification failed for digest ${stated}: the registry served ${digest}`,
        );
      }
      return { bytes, digest, contentType: response.headers['content-type'] };
    }, signal);
  }

  /** What a tag stands for now, where the registry says so without sending it. Costs no pull of a rate limit. */
  async resolveTag(
    repository: string,
    tag: string,
    name: string,
    signal: AbortSignal | undefined,
  ): Promise<Digest | undefined> {
    return this.#session.retrying(async () => {
      const response = await this.#manifestRequest('HEAD', repository, tag, name, signal).catch(ignoreNoHead);
      response?.body.resume();
      const digest = response?.headers['docker-content-digest'];
      return isDigest(digest) ? digest : undefined;
    }, signal);
  }

  /** Fetches a small blob whole, and checks it. */
  async fetchBlob(
    repository: string,
    digest: Digest,
    limit: number,
    what: string,
    signal: AbortSignal | undefined,
  ): Promise<Buffer> {
    return this.#session.retrying(async () => {
      const { response } = await this.openBlob(repository, digest, 0, signal);
      const bytes = await this.#session.read(response, limit, what);
      if (digestOf(bytes) === digest) return bytes;
      throw new RegistryError('DAMAGED', `${what} is damaged: the registry served ${digestOf(bytes)} for ${digest}`);
    }, signal);
  }

  /** Starts one download, no retry: the caller knows how far it got. */
  async openBlob(
    repository: string,
    digest: Digest,
    offset: number,
    signal: AbortSignal | undefined,
  ): Promise<OpenBlob> {
    const headers = offset > 0 ? { range: `bytes=${offset}-` } : {};
    const target = `v2/${repository}/blobs/${digest}`;
    const request = { method: 'GET', target, scope: pullScope(repository), headers } as const;
    const response = await this.#session.request(request, signal);
    if (response.status === 200) return { start: 0, response };
    if (response.status === 206 && rangeStart(response) === offset) return { start: offset, response };
    throw await this.#session.failure(response, `Cannot download blob ${digest} of ${this.domain}/${repository}`);
  }

  /** The bytes of a blob from `start` to `end` (exclusive). Throws UNSUPPORTED where the registry knows no ranges. */
  async fetchRange(
    repository: string,
    digest: Digest,
    start: number,
    end: number,
    signal: AbortSignal | undefined,
  ): Promise<Buffer> {
    return this.#session.retrying(async () => {
      const headers = { range: `bytes=${start}-${end - 1}` };
      const target = `v2/${repository}/blobs/${digest}`;
      const request = { method: 'GET', target, scope: pullScope(repository), headers } as const;
      const response = await this.#session.request(request, signal);
      if (response.status === 206 && rangeStart(response) === start) {
        const bytes = await this.#session.read(response, end - start, 'A range of a blob');
        if (bytes.length === end - start) return bytes;
        throw new RegistryError('UNAVAILABLE', `Cannot read a range of ${digest}: unexpected EOF`, {
          isTransient: true,
        });
      }
      if (response.status !== 200) {
        throw await this.#session.failure(
          response,
          `Cannot read a range of blob ${digest} of ${this.domain}/${repository}`,
        );
      }
      response.body.destroy();
      throw new RegistryError('UNSUPPORTED', `Registry ${this.domain} serves no ranges of blobs`);
    }, signal);
  }

  /** All tags of a repository, in the registry's order. `name`: the repository for errors. */
  async listTags(repository: string, name: string, signal: AbortSignal | undefined): Promise<string[]> {
    const tags: string[] = [];
    const target = `v2/${repository}/tags/list`;
    for await (const page of this.#pages(target, pullScope(repository), `Cannot list the tags of ${name}`, signal)) {
      const listed = page['tags'];
      if (Array.isArray(listed)) tags.push(...listed.filter((tag) => typeof tag === 'string'));
    }
    return tags;
  }

  /** All repositories of the registry, where it tells. */
  async listRepositories(signal: AbortSignal | undefined): Promise<string[]> {
    const names: string[] = [];
    const action = `Cannot list the repositories of ${this.domain}`;
    for await (const page of this.#pages('v2/_catalog?n=1000', 'registry:catalog:*', action, signal)) {
      const listed = page['repositories'];
      if (Array.isArray(listed)) names.push(...listed.filter((name) => typeof name === 'string'));
    }
    return names;
  }

  /** distribution-spec, "Listing Tags": further pages are named by a Link header (RFC 5988). */
  async *#pages(
    first: string,
    scope: string,
    action: string,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Readonly<Record<string, unknown>>> {
    let target: string | URL | undefined = first;
    for (let pages = 0; target !== undefined && pages < PAGE_LIMIT; pages++) {
      const page: { value: unknown; next: URL | undefined } = await this.#session.retrying(async () => {
        const response = await this.#session.request({ method: 'GET', target: target!, scope }, signal);
        if (response.status !== 200) throw await this.#session.failure(response, action);
        const next = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(response.headers['link'] ?? ''))?.[1];
        const bytes = await this.#session.read(response, MANIFEST_LIMIT, 'The list');
        return { value: parse(bytes), next: next === undefined ? undefined : new URL(next, response.url) };
      }, signal);
      if (!isObject(page.value)) throw new RegistryError('INVALID', `${action}: the registry's answer is no list`);
      yield page.value;
      target = page.next;
    }
  }

  async #manifestRequest(
    method: 'GET' | 'HEAD',
    repository: string,
    reference: string,
    name: string,
    signal: AbortSignal | undefined,
  ): Promise<HttpResponse> {
    const headers = { accept: manifestTypes.join(', ') };
    const target = `v2/${repository}/manifests/${reference}`;
    const response = await this.#session.request({ method, target, scope: pullScope(repository), headers }, signal);
    if (response.status === 200) return response;
    throw await this.#session.failure(response, manifestAction(response.status, name));
  }
}

/** A registry that always has another page is no registry. */
const PAGE_LIMIT = 10_000;

function pullScope(repository: string): string {
  return `repository:${repository}:pull`;
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

/** Docker's words for the two failures that everybody meets. */
function manifestAction(status: number, name: string): string {
  if (status === 404) return `manifest for ${name} not found`;
  if (status === 401 || status === 403) {
    return `pull access denied for ${name}, repository does not exist or may require credentials in ~/.docker/config.json`;
  }
  return `Cannot pull ${name}`;
}

function rangeStart(response: HttpResponse): number {
  const match = /^bytes ([0-9]+)-/.exec(response.headers['content-range'] ?? '');
  return match ? Number(match[1]) : -1;
}

/** A registry may not know HEAD (501, 405, 400…): then the manifest itself has to be fetched. */
function ignoreNoHead(error: unknown): undefined {
  const status = error instanceof RegistryError ? error.status : undefined;
  if (status === undefined || [401, 403, 404, 429].includes(status)) throw error;
  return undefined;
}
