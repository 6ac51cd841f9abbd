import { errorCode } from '../base/error-code.ts';
import { NetworkError } from '../network/network-error.ts';
import { EngineError } from './engine-error.ts';

/** A driver's refusals, in Node's codes. */
const codes: Readonly<Record<string, 'INVALID' | 'CONFLICT'>> = { EINVAL: 'INVALID', EADDRINUSE: 'CONFLICT' };

/** The engine's error for what the networks have refused; anything else is returned as it is. */
export function asEngineError(error: unknown): unknown {
  if (error instanceof NetworkError) return new EngineError(error.code, error.message, { cause: error });
  const code = codes[errorCode(error) ?? ''];
  return code === undefined ? error : new EngineError(code, (error as Error).message, { cause: error });
}
