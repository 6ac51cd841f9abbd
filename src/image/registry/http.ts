/**
 * HTTP(S) for the registry client, on node:http: it streams Buffers without copies, takes proxies from the environment and
 * per-agent CAs, and loads as fast as the built-in fetch, which would have brought web streams between us and the bytes.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import type { Readable } from 'node:stream';
import { isLoopback } from './endpoint.ts';
import { RegistryError } from './registry-error.ts';
import { throwIfCancelled } from '../image-error.ts';

export type HttpMethod = 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';

export interface HttpRequest {
  readonly method: HttpMethod;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Buffer | Readable;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  /** After redirects. */
  readonly url: URL;
  /** To be read to its end or destroyed. */
  readonly body: IncomingMessage;
}

export interface HttpOptions {
  /** Take any certificate. */
  readonly insecure: boolean;
  /** Milliseconds of silence after which a connection counts as dead. */
  readonly idleTimeout: number;
  /** For the proxies. */
  readonly env: NodeJS.ProcessEnv;
}

const REDIRECT_LIMIT = 10;
const redirectStatuses = new Set([301, 302, 303, 307, 308]);
/** As tls.getCACertificates is fairly new (22.15). */
type TlsModule = typeof import('node:tls');

export class HttpClient {
  readonly #options: HttpOptions;
  readonly #agents = new Map<string, HttpAgent>();

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  /**
   * Sends one request and follows its redirects. Rejects with Node's own error where there is no answer. Credentials never
   * follow to another host (blob stores redirect to signed URLs elsewhere), nor from https to http.
   */
  async send(request: HttpRequest, signal: AbortSignal | undefined): Promise<HttpResponse> {
    let current = request;
    for (let redirects = 0; ; redirects++) {
      const response = await this.#once(current, signal);
      const location = response.headers.location;
      // What has been sent already cannot be sent again elsewhere.
      const isSent = current.body !== undefined && typeof current.body !== 'string';
      if (!redirectStatuses.has(response.status) || location === undefined || isSent) return response;
      response.body.destroy();
      if (redirects === REDIRECT_LIMIT) {
        throw new RegistryError('UNAVAILABLE', `${request.url.host} redirects more than ${REDIRECT_LIMIT} times`);
      }
      current = { ...current, ...redirect(current, location) };
    }
  }

  /** Ends idle connections, so that the process can end. */
  close(): void {
    for (const agent of this.#agents.values()) agent.destroy();
    this.#agents.clear();
  }

  async #once(request: HttpRequest, signal: AbortSignal | undefined): Promise<HttpResponse> {
    throwIfCancelled(signal);
    const { url, method, headers, body } = request;
    const options: RequestOptions = {
      method,
      agent: await this.#agent(url),
      headers: { 'user-agent': 'trun', ...headers },
      timeout: this.#options.idleTimeout,
      ...(signal && { signal }),
    };
    const send = url.protocol === 'https:' ? (await import('node:https')).request : httpRequest;
    const { promise, resolve, reject } = Promise.withResolvers<HttpResponse>();
    const sent = send(url, options, (message) => {
      resolve({ status: message.statusCode ?? 0, headers: message.headers, url, body: message });
    });
    sent.on('timeout', () => sent.destroy(Object.assign(new Error('i/o timeout'), { code: 'ETIMEDOUT' })));
    sent.on('error', reject);
    if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) sent.end(body);
    else {
      // An answer before all is sent is an answer all the same; a source that fails is no request any more.
      body.on('error', (error) => sent.destroy(error));
      sent.on('close', () => body.destroy());
      body.pipe(sent);
    }
    return promise;
  }

  async #agent(url: URL): Promise<HttpAgent> {
    // As Go's net/http, which the peers use: loopback is never reached through a proxy.
    const isDirect = isLoopback(url.hostname);
    const key = `${url.protocol}${isDirect ? 'direct' : ''}`;
    const known = this.#agents.get(key);
    if (known) return known;
    const options = { keepAlive: true, ...(!isDirect && { proxyEnv: this.#options.env }) };
    const agent = url.protocol === 'https:' ? await this.#httpsAgent(options) : new HttpAgent(options);
    this.#agents.set(key, agent);
    return agent;
  }

  async #httpsAgent(options: object): Promise<HttpsAgent> {
    const [{ Agent }, tls] = await Promise.all([import('node:https'), import('node:tls')]);
    if (this.#options.insecure) return new Agent({ ...options, rejectUnauthorized: false });
    return new Agent({ ...options, ca: authorities(tls) });
  }
}

/** Node's own CAs and the system's: people behind a company's proxy have theirs in the latter. */
function authorities(tls: TlsModule): string[] {
  return [...new Set([...tls.getCACertificates('default'), ...tls.getCACertificates('system')])];
}

function redirect(from: HttpRequest, location: string): Pick<HttpRequest, 'url' | 'headers'> {
  let url: URL;
  try {
    url = new URL(location, from.url);
  } catch (cause) {
    throw new RegistryError('UNAVAILABLE', `${from.url.host} redirects to an invalid address`, { cause });
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new RegistryError('UNAVAILABLE', `${from.url.host} redirects to an address that is no HTTP`);
  }
  const keepsCredentials = url.host === from.url.host && url.protocol === from.url.protocol;
  const { authorization, ...others } = from.headers;
  return { url, headers: keepsCredentials && authorization !== undefined ? from.headers : others };
}

/** Reads a small body whole. Throws where it is over `limit` bytes. */
export async function readBody(response: HttpResponse, limit: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > limit) {
      response.body.destroy();
      throw new RegistryError('INVALID', `${what} is over ${limit} bytes`);
    }
    chunks.push(chunk);
  }
  if (!response.body.complete) throw Object.assign(new Error('aborted'), { code: 'ECONNRESET' });
  return Buffer.concat(chunks);
}
