/**
 * Talking to one registry: finds out where and how it speaks, answers its challenges, and puts failures into words. What is said
 * lies in registry-client.ts (pull) and registry-uploader.ts (push).
 */
import type { Readable } from 'node:stream';
import { Authenticator } from './authenticator.ts';
import type { Credentials } from './credentials.ts';
import { endpointsOf, type Endpoint } from './endpoint.ts';
import { HttpClient, readBody, type HttpMethod, type HttpRequest, type HttpResponse } from './http.ts';
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
  /** Where the API is, where that is not what the domain says: a mirror's address. */
  readonly base?: URL;
}

export interface SessionRequest {
  readonly method: HttpMethod;
  /** Below the registry's address, or whole, as an answer has named it. */
  readonly target: string | URL;
  /** What for: `repository:library/debian:pull`; several are separated by spaces. */
  readonly scope: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Made anew for each try. */
  readonly body?: () => string | Buffer | Readable;
}

/** Enough of an error page to find the registry's words in it. */
const ERROR_LIMIT = 64 * 1024;

interface Connection {
  readonly base: URL;
  readonly http: HttpClient;
  readonly authenticator: Authenticator;
}

export class RegistrySession {
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

  /** Lets go of idle connections. */
  close(): void {
    for (const http of this.#clients) http.close();
  }

  /** The answer to one request, whatever its status; a stale token is renewed first. Rejects with RegistryError where there is none. */
  async request(
    { method, target, scope, headers = {}, body }: SessionRequest,
    signal: AbortSignal | undefined,
  ): Promise<HttpResponse> {
    const { base, http, authenticator } = await this.#connect(signal);
    const url = new URL(target, base);
    const isOwn = url.host === base.host && url.protocol === base.protocol;
    for (let tries = 1; ; tries++) {
      // An upload may be sent elsewhere, to an address that is signed in itself.
      const authorization = isOwn ? await authenticator.authorization(scope, signal) : undefined;
      const request: HttpRequest = {
        ...{ method, url },
        headers: { ...headers, ...(authorization !== undefined && { authorization }) },
        ...(body && { body: body() }),
      };
      const response = await this.#send(http, request, signal);
      if (response.status !== 401 || tries === 2 || !isOwn) return response;
      // The token is stale, or this resource wants one where /v2/ did not.
      response.body.destroy();
      authenticator.challenge(response.headers['www-authenticate']);
    }
  }

  /** Proves the credentials: an error is UNAUTHORIZED where they do not count. */
  async login(signal: AbortSignal | undefined): Promise<void> {
    const response = await this.request({ method: 'GET', target: 'v2/', scope: '' }, signal);
    if (response.status !== 200) throw await this.failure(response, `Cannot log in to ${this.domain}`);
    response.body.resume();
  }

  /** Reads an answer whole. */
  async read(response: HttpResponse, limit: number, what: string): Promise<Buffer> {
    try {
      return await readBody(response, limit, what);
    } catch (error) {
      throw error instanceof RegistryError ? error : connectionError(this.domain, error);
    }
  }

  /** The error that an unwelcome answer stands for. */
  async failure(response: HttpResponse, action: string): Promise<RegistryError> {
    const body = await readBody(response, ERROR_LIMIT, 'error').catch(() => Buffer.alloc(0));
    return statusError(response.status, body.toString(), response.headers['retry-after'], action);
  }

  retrying<T>(operation: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return withRetries(operation, this.retryPolicy, signal);
  }

  #connect(signal: AbortSignal | undefined): Promise<Connection> {
    this.#connection ??= this.#findEndpoint(signal).catch((error: unknown) => {
      this.#connection = undefined;
      throw error;
    });
    return this.#connection;
  }

  async #findEndpoint(signal: AbortSignal | undefined): Promise<Connection> {
    const { base, insecureRegistries = [] } = this.#options;
    const endpoints = base ? [mirrorEndpoint(base, insecureRegistries)] : endpointsOf(this.domain, insecureRegistries);
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
      throw await this.failure(response, `Registry ${this.domain} does not answer as a registry`);
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
}

/** A mirror is spoken to as its address says; one that is insecure may have any certificate. */
function mirrorEndpoint(base: URL, insecureRegistries: readonly string[]): Endpoint {
  const [known] = endpointsOf(base.host, insecureRegistries);
  const path = base.pathname.endsWith('/') ? base.pathname : `${base.pathname}/`;
  return { base: new URL(path, base), insecure: known!.insecure };
}

function isRefused(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
}

function nobody(): Promise<undefined> {
  return Promise.resolve(undefined);
}
