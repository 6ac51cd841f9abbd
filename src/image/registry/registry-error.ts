import { ImageError, type ImageErrorCode } from '../image-error.ts';

/** A failed exchange with a registry. */
export class RegistryError extends ImageError {
  /** HTTP status, or undefined where there was no answer. */
  readonly status: number | undefined;
  /** Whether the same request may well succeed a little later. */
  readonly isTransient: boolean;
  /** Milliseconds that the registry asks to wait (Retry-After). */
  readonly retryAfter: number | undefined;

  constructor(
    code: ImageErrorCode,
    message: string,
    details: { status?: number; isTransient?: boolean; retryAfter?: number | undefined; cause?: unknown } = {},
  ) {
    super(code, message, { cause: details.cause });
    this.name = 'RegistryError';
    this.status = details.status;
    this.isTransient = details.isTransient ?? false;
    this.retryAfter = details.retryAfter;
  }
}

const transientCodes = new Set([
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'ENETDOWN',
]);

/** Connection failures in plain words, with what the user can do. */
const connectionWords: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused; is a registry running there?',
  ENOTFOUND: 'no such host; check the name and the DNS',
  EAI_AGAIN: 'the name could not be looked up; check the network and the DNS',
  ECONNRESET: 'the connection was reset',
  EPIPE: 'the connection was closed',
  ETIMEDOUT: 'i/o timeout',
  ENETUNREACH: 'network is unreachable',
  EHOSTUNREACH: 'no route to host',
};

const tlsWords =
  'add its CA to the system or to NODE_EXTRA_CA_CERTS, or list the registry under insecure-registries in the configuration';

/** The error for a request that got no answer. */
export function connectionError(registry: string, cause: unknown): RegistryError {
  const error = innermost(cause);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const prefix = `Cannot reach registry ${registry}`;
  if (isCertificateProblem(code)) {
    const text = `${prefix}: tls: failed to verify certificate: ${error.message}; ${tlsWords}`;
    return new RegistryError('UNAVAILABLE', text, { cause });
  }
  if (isNotTls(error)) {
    const text = `${prefix}: http: server gave HTTP response to HTTPS client; list the registry under insecure-registries in the configuration if that is meant`;
    return new RegistryError('UNAVAILABLE', text, { cause });
  }
  const words = connectionWords[code] ?? error.message;
  return new RegistryError('UNAVAILABLE', `${prefix}: ${words}${code === '' ? '' : ` (${code})`}`, {
    isTransient: transientCodes.has(code),
    cause,
  });
}

/** Whether a plain-HTTP peer answered a TLS handshake. */
function isNotTls(error: Error): boolean {
  const { code } = error as { code?: unknown };
  return code === 'EPROTO' || (typeof code === 'string' && code.startsWith('ERR_SSL_'));
}

function isCertificateProblem(code: string): boolean {
  return /^(CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERR_TLS_CERT_|HOSTNAME_MISMATCH|INVALID_CA)/.test(code);
}

/** Node tries several addresses and then throws all their errors in one. */
function innermost(error: unknown): Error {
  if (error instanceof AggregateError && error.errors.length > 0) return innermost(error.errors[0]);
  return error instanceof Error ? error : new Error(String(error));
}

/**
 * The error for an unwelcome status. distribution-spec, "Error Codes": the body holds `{"errors": [{"code", "message"}]}`; the
 * registry's own words are told as they are, cut to a line.
 */
export function statusError(
  status: number,
  body: string,
  retryAfter: string | undefined,
  action: string,
): RegistryError {
  const said = registryWords(body);
  const details = { status, isTransient: isTransientStatus(status), retryAfter: parseRetryAfter(retryAfter) };
  if (status === 401)
    return new RegistryError('UNAUTHORIZED', `${action}: ${said ?? 'unauthorized: authentication required'}`, details);
  if (status === 403)
    return new RegistryError(
      'UNAUTHORIZED',
      `${action}: ${said ?? 'denied: requested access to the resource is denied'}`,
      details,
    );
  if (status === 404)
    return new RegistryError('NOT_FOUND', `${action}: ${said ?? 'the registry does not have it'}`, details);
  if (status === 429)
    return new RegistryError('UNAVAILABLE', `${action}: ${said ?? 'toomanyrequests: too many requests'}`, details);
  return new RegistryError(
    'UNAVAILABLE',
    `${action}: ${said ?? `received unexpected HTTP status: ${status}`}`,
    details,
  );
}

function isTransientStatus(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

/** `manifest unknown: OCI index found…`: code and message as Docker prints them. */
function registryWords(body: string): string | undefined {
  try {
    const { errors } = JSON.parse(body) as { errors?: { code?: unknown; message?: unknown }[] };
    const [first] = errors ?? [];
    if (typeof first?.code !== 'string') return undefined;
    const code = first.code.toLowerCase().replaceAll('_', ' ');
    const message = typeof first.message === 'string' && first.message !== '' ? first.message : code;
    return `${code}: ${message}`.replaceAll(/\s+/g, ' ').slice(0, 300);
  } catch {
    return undefined;
  }
}

/** RFC 9110 10.2.3: seconds or a date. */
function parseRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const wait = /^[0-9]{1,6}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(wait) ? Math.max(wait, 0) : undefined;
}
