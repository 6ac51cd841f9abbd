/** What the networks refuse, with the engine's codes. */
export class NetworkError extends Error {
  readonly code: 'NOT_FOUND' | 'CONFLICT' | 'INVALID' | 'UNSUPPORTED';

  constructor(code: NetworkError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'NetworkError';
    this.code = code;
  }
}
