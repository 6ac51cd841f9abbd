/**
 * Answers a registry's challenges: Basic, or Bearer by distribution's token protocol ("Token Authentication Specification";
 * with a refresh token its OAuth2 form). Tokens are kept per scope until shortly before they expire.
 */
import { isObject } from '../json.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import { readBody, type HttpClient, type HttpRequest } from './http.ts';
import { connectionError, RegistryError, statusError } from './registry-error.ts';

/** The specification's default life of a token that does not say, and how long before its end we stop using one. */
const DEFAULT_LIFE = 60_000;
const SAFETY_MARGIN = 5_000;
const TOKEN_LIMIT = 1024 * 1024;

interface Token {
  readonly header: string;
  readonly expires: number;
}

export class Authenticator {
  readonly #http: HttpClient;
  readonly #registry: URL;
  readonly #credentials: () => Promise<Credentials | undefined>;
  #challenge: Challenge | undefined;
  readonly #tokens = new Map<string, Promise<Token>>();

  constructor(http: HttpClient, registry: URL, credentials: () => Promise<Credentials | undefined>) {
    this.#http = http;
    this.#registry = registry;
    this.#credentials = credentials;
  }

  /** Takes over a 401's header; the strongest scheme that we speak counts. */
  challenge(header: string | undefined): void {
    const challenges = parseChallenges(header ?? '');
    this.#challenge =
      challenges.find(({ scheme }) => scheme === 'bearer') ?? challenges.find(({ scheme }) => scheme === 'basic');
    this.#tokens.clear();
    if (this.#challenge) return;
    throw new RegistryError('UNAUTHORIZED', `${this.#registry.host} asks for an authentication that is not supported`);
  }

  /** The Authorization header for a scope such as `repository:library/debian:pull`, or undefined where none is asked for. */
  async authorization(scope: string, signal: AbortSignal | undefined): Promise<string | undefined> {
    const challenge = this.#challenge;
    if (!challenge) return undefined;
    if (challenge.scheme === 'basic') return this.#basic();
    const known = await this.#tokens.get(scope);
    if (known && known.expires > Date.now()) return known.header;
    const asked = this.#askForToken(challenge, scope, signal);
    this.#tokens.set(scope, asked);
    try {
      return (await asked).header;
    } catch (error) {
      this.#tokens.delete(scope);
      throw error;
    }
  }

  async #basic(): Promise<string> {
    const credentials = await this.#credentials();
    if (credentials?.kind === 'password') return basicHeader(credentials.username, credentials.password);
    throw new RegistryError(
      'UNAUTHORIZED',
      `no basic auth credentials for ${this.#registry.host} in ~/.docker/config.json`,
    );
  }

  async #askForToken(challenge: Challenge, scope: string, signal: AbortSignal | undefined): Promise<Token> {
    const credentials = await this.#credentials();
    const request = tokenRequest(this.#realm(challenge), challenge.parameters['service'], scope, credentials);
    const action = `Cannot get a token for ${this.#registry.host} from ${request.url.host}`;
    let body: Buffer;
    try {
      const response = await this.#http.send(request, signal);
      body = await readBody(response, TOKEN_LIMIT, 'The answer of the token server');
      if (response.status !== 200) {
        throw statusError(response.status, body.toString(), response.headers['retry-after'], action);
      }
    } catch (error) {
      throw error instanceof RegistryError ? error : connectionError(request.url.host, error);
    }
    return parseToken(body, action);
  }

  #realm(challenge: Challenge): URL {
    const realm = URL.parse(challenge.parameters['realm'] ?? '', this.#registry.href);
    const isSafe = realm?.protocol === 'https:' || (realm?.protocol === 'http:' && this.#registry.protocol === 'http:');
    if (realm && isSafe) return realm;
    throw new RegistryError('UNAUTHORIZED', `${this.#registry.host} names no usable token server`);
  }
}

function tokenRequest(
  realm: URL,
  service: string | undefined,
  scope: string,
  credentials: Credentials | undefined,
): HttpRequest {
  const parameters = new URLSearchParams(service === undefined ? {} : { service });
  if (credentials?.kind === 'identity') {
    parameters.set('grant_type', 'refresh_token');
    parameters.set('client_id', 'trun');
    parameters.set('refresh_token', credentials.token);
    parameters.set('scope', scope);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return { method: 'POST', url: realm, headers, body: parameters.toString() };
  }
  const url = new URL(realm);
  for (const [name, value] of parameters) url.searchParams.append(name, value);
  for (const each of scope.split(' ').filter(Boolean)) url.searchParams.append('scope', each);
  if (!credentials) return { method: 'GET', url, headers: {} };
  url.searchParams.append('account', credentials.username);
  return { method: 'GET', url, headers: { authorization: basicHeader(credentials.username, credentials.password) } };
}

function parseToken(body: Buffer, action: string): Token {
  let answer: unknown;
  try {
    answer = JSON.parse(body.toString());
  } catch {
    // Said below.
  }
  const token = isObject(answer) ? (answer['token'] ?? answer['access_token']) : undefined;
  // RFC 6750 2.1: the characters of a bearer token; anything else would break out of the header.
  if (!isObject(answer) || typeof token !== 'string' || !/^[A-Za-z0-9\-._~+/]+=*$/.test(token)) {
    throw new RegistryError('UNAUTHORIZED', `${action}: its answer has no token`);
  }
  const life = typeof answer['expires_in'] === 'number' ? answer['expires_in'] * 1000 : DEFAULT_LIFE;
  return { header: `Bearer ${token}`, expires: Date.now() + Math.max(life, DEFAULT_LIFE) - SAFETY_MARGIN };
}

function basicHeader(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}
