/**
 * A registry's pull side: OCI distribution-spec v1.1, "Pull". Every request is retried by the policy where the failure may pass;
 * what a digest names is checked against it before anybody sees it.
 */
import { digestOf, isDigest, type Digest } from '../digest.ts';
import { MANIFEST_LIMIT, manifestTypes } from '../manifest.ts';
import { Authenticator } from './authenticator.ts';
import type { Credentials } from './credentials.ts';
import { endpointsOf, type Endpoint } from './endpoint.ts';
import { HttpClient, readBody, type HttpRequest, type HttpResponse } from './http.ts';
import { connectionError, RegistryError, statusError } from './registry-error.ts';
import { defaultRetryPolicy, withRetries, type RetryPolicy } from './retry.ts';

export interface RegistryOptions {
  /** Hosts, hosts with port, or CIDR ranges whose certificates don't count and that may speak plain http. */
  readonly insecureRegistries?: readonly string[];
  readonly credentials?: () => Promise<Credentials | undefined>;
  readonly retry?: RetryPolicy;
  /** Where HTTP_PROXY, HTTPS_PROXY and NO_PROXY are looked up. Default: the process' environment. */
  readonly env?: NodeJS.ProcessEnv;
  /** Milliseconds of silence after which a connection counts as dead. Default 60,000. */
  readonly idleTimeout?: number;
}

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

/** Enough of an error page to find the registry's words in it. */
const ERROR_LIMIT = 64 * 1024;

interface Connection {
  readonly base: URL;
  readonly http: HttpClient;
  readonly authenticator: Authenticator;
}

export class RegistryClient {
  readonly domain: string;
  readonly #options: RegistryOptions;
  readonly #clients: HttpClient[] = [];
  #connection: Promise<Connection> | undefined;

  constructor(domain: string, options: RegistryOptions = {}) {
    this.domain = domain;
    this.#options = options;
  }

  get retryPolicy(): RetryPolicy {
    return this.#options.retry ?? defaultRetryPolicy;
  }

  /** Fetches a manifest or index by tag or digest. `name`: the image as the user knows it, for errors. */
  async fetchManifest(
    repository: string,
    reference: string,
    name: string,
    signal: AbortSignal | undefined,
  ): Promise<FetchedManifest> {
    return this.#retrying(async () => {
      const response = await this.#manifestRequest('GET', repository, reference, name, signal);
      const bytes = await this.#read(response, MANIFEST_LIMIT, `The manifest of ${name}`);
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
    return this.#retrying(async () => {
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
    return this.#retrying(async () => {
      const { response } = await this.openBlob(repository, digest, 0, signal);
      const bytes = await this.#read(response, limit, what);
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
    const response = await this.#request('GET', `v2/${repository}/blobs/${digest}`, repository, headers, signal);
    if (response.status === 200) return { start: 0, response };
    if (response.status === 206 && rangeStart(response) === offset) return { start: offset, response };
    throw await this.#failure(response, `Cannot download blob ${digest} of ${this.domain}/${repository}`);
  }

  /** Lets go of idle connections. */
  close(): void {
    for (const http of this.#clients) http.close();
  }

  async #manifestRequest(
    method: 'GET' | 'HEAD',
    repository: string,
    reference: string,
    name: string,
    signal: AbortSignal | undefined,
  ): Promise<HttpResponse> {
    const headers = { accept: manifestTypes.join(', ') };
    const response = await this.#request(
      method,
      `v2/${repository}/manifests/${reference}`,
      repository,
      headers,
      signal,
    );
    if (response.status === 200) return response;
    throw await this.#failure(response, manifestAction(response.status, name));
  }

  async #request(
    method: 'GET' | 'HEAD',
    path: string,
    repository: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<HttpResponse> {
    const { base, http, authenticator } = await this.#connect(signal);
    const url = new URL(path, base);
    const scope = `repository:${repository}:pull`;
    for (let tries = 1; ; tries++) {
      const authorization = await authenticator.authorization(scope, signal);
      const request = { method, url, headers: { ...headers, ...(authorization !== undefined && { authorization }) } };
      const response = await this.#send(http, request, signal);
      if (response.status !== 401 || tries === 2) return response;
      // The token is stale, or this resource wants one where /v2/ did not.
      response.body.destroy();
      authenticator.challenge(response.headers['www-authenticate']);
    }
  }

  #connect(signal: AbortSignal | undefined): Promise<Connection> {
    this.#connection ??= this.#findEndpoint(signal).catch((error: unknown) => {
      this.#connection = undefined;
      throw error;
    });
    return this.#connection;
  }

  async #findEndpoint(signal: AbortSignal | undefined): Promise<Connection> {
    const endpoints = endpointsOf(this.domain, this.#options.insecureRegistries ?? []);
    for (const [index, endpoint] of endpoints.entries()) {
      const isLast = index === endpoints.length - 1;
      const connection = await this.#ping(endpoint, isLast, signal);
      if (connection) return connection;
    }
    throw new RegistryError('UNAVAILABLE', `Cannot reach registry ${this.domain}`);
  }

  /** distribution-spec "Determining Support"; undefined where the other protocol is to be tried. */
  async #ping(
    { base, insecure }: Endpoint,
    isLast: boolean,
    signal: AbortSignal | undefined,
  ): Promise<Connection | undefined> {
    const { idleTimeout = 60_000, env = process.env } = this.#options;
    const http = new HttpClient({ insecure, idleTimeout, env });
    this.#clients.push(http);
    const credentials = this.#options.credentials ?? nobody;
    const authenticator = new Authenticator(http, base, credentials);
    const request: HttpRequest = { method: 'GET', url: new URL('v2/', base), headers: {} };
    let response: HttpResponse;
    try {
      response = await http.send(request, signal);
    } catch (error) {
      // Whatever speaks the other protocol fails in many ways; where nobody listens there is no other.
      if (!isLast && !isRefused(error)) return undefined;
      throw error instanceof RegistryError ? error : connectionError(this.domain, error);
    }
    // Go's servers answer plain http on a TLS port with 400.
    if (response.status === 400 && base.protocol === 'http:' && !isLast) {
      response.body.destroy();
      return undefined;
    }
    if (response.status === 401) authenticator.challenge(response.headers['www-authenticate']);
    else if (response.status !== 200)
      throw await this.#failure(response, `Registry ${this.domain} does not answer as a registry`);
    response.body.resume();
    return { base, http, authenticator };
  }

  async #send(http: HttpClient, request: HttpRequest, signal: AbortSignal | undefined): Promise<HttpResponse> {
    try {
      return await http.send(request, signal);
    } catch (error) {
      throw error instanceof Error && 'code' in error && error.code !== 'ABORT_ERR' && !(error instanceof RegistryError)
        ? connectionError(this.domain, error)
        : error;
    }
  }

  async #read(response: HttpResponse, limit: number, what: string): Promise<Buffer> {
    try {
      return await readBody(response, limit, what);
    } catch (error) {
      throw error instanceof RegistryError ? error : connectionError(this.domain, error);
    }
  }

  async #failure(response: HttpResponse, action: string): Promise<RegistryError> {
    const body = await readBody(response, ERROR_LIMIT, 'error').catch(() => Buffer.alloc(0));
    return statusError(response.status, body.toString(), response.headers['retry-after'], action);
  }

  #retrying<T>(operation: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return withRetries(operation, this.retryPolicy, signal);
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

function isRefused(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
}

function nobody(): Promise<undefined> {
  return Promise.resolve(undefined);
}
