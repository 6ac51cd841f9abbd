import type { LaunchError } from '../../monitor/record.ts';
import { RuntimeError } from '../runtime-error.ts';

/** A launch that failed, with what engines look for where the program is not there or cannot be executed. */
export function executionFailure(error: LaunchError): RuntimeError {
  const name = /^execute (.*)$/s.exec(error.action)?.[1];
  if (name === undefined) return new RuntimeError(`unable to start container process: ${error.message}`);
  const reason =
    error.code === 'ENOENT' && !name.includes('/') ? 'executable file not found in $PATH' : describe(error, name);
  return new RuntimeError(`unable to start container process: exec: ${JSON.stringify(name)}: ${reason}`);
}

function describe({ code, message }: LaunchError, name: string): string {
  switch (code) {
    case 'ENOENT':
      return `stat ${name}: no such file or directory`;
    case 'EACCES':
      return 'permission denied';
    case 'ENOEXEC':
      return 'exec format error';
    default:
      return message;
  }
}
